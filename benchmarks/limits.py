"""Open files: each end of a connection is one, for every open stream and upstream call."""

import resource

OPEN_FILES = 12_000


def raise_open_files_limit() -> None:
    """Allow this process, and the ones it starts, as many sockets as the largest work needs.

    Raises `SystemExit` when the machine's hard limit is too low.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < OPEN_FILES:
        raise SystemExit(
            f"The hard limit of open files is {hard}, the benchmark needs {OPEN_FILES}: "
            f"raise it with `ulimit -Hn {OPEN_FILES}`."
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))

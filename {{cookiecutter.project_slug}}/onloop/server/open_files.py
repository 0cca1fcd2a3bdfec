"""The number of files that the process may have open. Each end of a connection is one."""

_OPEN_FILES = 65_536


def raise_open_files_limit() -> None:
    """Raise the soft limit to `_OPEN_FILES`, or to the hard limit if that is lower.

    The soft limit is 1,024 on most systems (256 on macOS), for programs that use `select()`; the
    hard limit is much higher, for all others. Processes that this one starts inherit the limit.
    https://0pointer.net/blog/file-descriptor-limits.html
    """
    try:
        import resource
    except ImportError:  # On Windows, which has no such limit.
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))

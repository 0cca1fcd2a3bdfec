"""What a call through an upstream costs, by concern, and what a cache saves."""

import json
import subprocess

from benchmarks.lineup import CONTENDERS, RENDERED
from benchmarks.results import MeasurementError
from benchmarks.run import Run
from benchmarks.servers import environment, free_port, project_python
from benchmarks.upstream import upstream

CALLS = "one call of an upstream by concern, without a network, one after the other"
CACHED = "cached: one call of an upstream, one after the other"
NETWORK = "over the network"
CACHE = "from the cache"


def calls(run: Run) -> None:
    """The rendered project's own process makes the calls; a round is one process."""
    with upstream() as url:
        for _ in range(run.rounds):
            figures = measure(run, url)
            for work, group in ((CALLS, "calls"), (CACHED, "cached")):
                for variant, microseconds in figures[group].items():
                    row = {"µs": microseconds, "calls/s": 1e6 / microseconds}
                    run.results.add(work, variant, row)


def measure(run: Run, url: str) -> dict[str, dict[str, float]]:
    """Return the microseconds of a call, by variant.

    Raises:
        MeasurementError: the process failed.
    """
    process = subprocess.run(
        [project_python(run.project), "-m", f"{CONTENDERS}.calls", url],
        cwd=run.project,
        env=environment(RENDERED, free_port(), url, 10),
        capture_output=True,
        text=True,
        check=False,
    )
    if process.returncode:
        raise MeasurementError(process.stderr.strip()[-300:])
    figures: dict[str, dict[str, float]] = json.loads(process.stdout)
    return figures

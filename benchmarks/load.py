"""wrk as load generator (https://github.com/wg/wrk)."""

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.results import Figures, MeasurementError

INSTALL_HINT = "wrk is not installed: `apt-get install wrk` or `brew install wrk` installs it."
SAMPLING_INTERVAL = 0.05
TO_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


@dataclass(frozen=True)
class Load:
    """One run of wrk, times in milliseconds. `errors`: answers that were not 2xx or never came."""

    requests_per_second: float
    p50: float
    p99: float
    errors: int

    def figures(self) -> Figures:
        return {
            "requests/s": self.requests_per_second,
            "p50 ms": self.p50,
            "p99 ms": self.p99,
            "errors": float(self.errors),
        }


def require_wrk() -> None:
    """Raises `SystemExit` with the way to install wrk when it is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit(INSTALL_HINT)


def wrk(
    url: str, clients: int, seconds: int, while_running: Callable[[], None] | None = None
) -> Load:
    """Request `url` on `clients` connections for `seconds`, in one thread.

    `while_running` is called every 50 ms until wrk ends.
    Raises `MeasurementError` when wrk fails.
    """
    command = ["wrk", "--latency", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "60s", url]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while True:
        try:
            output, _ = process.communicate(timeout=SAMPLING_INTERVAL)
            break
        except subprocess.TimeoutExpired:
            if while_running:
                while_running()
    if process.returncode:
        raise MeasurementError(f"wrk ended with exit code {process.returncode}")
    return parse(output)


def parse(output: str) -> Load:
    """What `wrk --latency` printed; only good answers count as requests per second."""
    requests = int(_find(r"(\d+) requests in ", output)[1])
    seconds = _milliseconds(_find(r" requests in ([\d.]+)(us|ms|s|m),", output)) / 1000
    bad_status = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    lost = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    refused = int(bad_status[1]) if bad_status else 0
    return Load(
        requests_per_second=(requests - refused) / seconds,
        p50=_milliseconds(_find(r" 50%\s+([\d.]+)(us|ms|s|m)", output)),
        p99=_milliseconds(_find(r" 99%\s+([\d.]+)(us|ms|s|m)", output)),
        errors=refused + (sum(map(int, lost.groups())) if lost else 0),
    )


def _find(pattern: str, output: str) -> re.Match[str]:
    match = re.search(pattern, output)
    if match is None:
        raise MeasurementError(f"wrk printed no {pattern!r}:\n{output}")
    return match


def _milliseconds(match: re.Match[str]) -> float:
    return float(match[1]) * TO_MILLISECONDS[match[2]]

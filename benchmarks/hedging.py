"""What hedged calls do to the slowest aggregations while 1 % of the upstream's calls are slow."""

import time
from functools import partial
from statistics import quantiles
from urllib.request import urlopen

from benchmarks.fan_out import aggregate
from benchmarks.lineup import HEDGED, RENDERED
from benchmarks.results import Figures
from benchmarks.run import Run
from benchmarks.servers import Server, serving
from benchmarks.upstream import upstream

FAN_OUT = 10
DELAY = 0.005
SLOW_DELAY = 0.2
SLOW_EVERY = 100
AGGREGATIONS = 300
WORK = (
    f"aggregator, fan-out {FAN_OUT}, {DELAY * 1000:.0f} ms upstream, "
    f"1 call of {SLOW_EVERY} {SLOW_DELAY * 1000:.0f} ms, 1 client"
)


def hedging(run: Run) -> None:
    """The rendered project without and with `HTTP_HEDGING`."""
    with (
        upstream(DELAY, SLOW_DELAY, SLOW_EVERY) as url,
        serving((RENDERED, HEDGED), run.project, url, FAN_OUT) as servers,
    ):
        for server in servers:
            measure(server, url)
        run.interleave(WORK, {server.name: partial(measure, server, url) for server in servers})


def measure(server: Server, upstream_url: str) -> Figures:
    """Percentiles of aggregations made one after the other, and the calls that these cost."""
    calls = calls_of(upstream_url)
    durations = []
    for _ in range(AGGREGATIONS):
        start = time.perf_counter()
        aggregate(server, FAN_OUT)
        durations.append((time.perf_counter() - start) * 1000)
    calls = calls_of(upstream_url) - calls
    percentiles = quantiles(durations, n=100)
    return {
        "p50 ms": percentiles[49],
        "p99 ms": percentiles[98],
        "extra calls %": (calls / (AGGREGATIONS * FAN_OUT) - 1) * 100,
    }


def calls_of(upstream_url: str) -> int:
    """How many calls the upstream has answered or begun to answer."""
    with urlopen(f"{upstream_url}calls") as answer:  # noqa: S310 - our own upstream
        return int(answer.read())

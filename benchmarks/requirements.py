"""What the rendered project must show, as ratios within one run."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import ge, le

from benchmarks import broadcast, hedging, observing, rendering, start, streams
from benchmarks.fan_out import cost_work, elapsed_work
from benchmarks.lineup import (
    ARTICLE,
    FASTAPI_AIOHTTP,
    FASTAPI_HTTPX,
    HEDGED,
    OBSERVED,
    RENDERED,
    STOCK,
    UNOBSERVED,
    Contender,
)
from benchmarks.results import Results, Spread, ratio
from benchmarks.throughput import AGGREGATOR_CLIENTS, HELLO, SYNC, aggregator_work

AT_LEAST = "at least"
AT_MOST = "at most"
COMPARISONS = {AT_LEAST: ge, AT_MOST: le}


@dataclass(frozen=True)
class Requirement:
    """One measured value against its limit.

    `aim` marks what is hoped for rather than required, `remark` says why nothing was measured.
    """

    text: str
    comparison: str
    limit: float
    measured: Spread | None
    aim: bool = False
    remark: str = "not measured"

    @property
    def reached(self) -> str:
        """Whether the median keeps the limit, in words."""
        if self.measured is None:
            return self.remark
        kept = COMPARISONS[self.comparison](self.measured.median, self.limit)
        return "yes" if kept else "no"

    def row(self) -> list[str]:
        """The cells of the report."""
        limit = f"{'aim: ' if self.aim else ''}{self.comparison} {self.limit:g}"
        return [self.text, limit, str(self.measured or "-"), self.reached]


def requirements(results: Results) -> list[Requirement]:
    """Every requirement with what `results` has for it."""
    return [
        rate_requirement(results, HELLO, "hello", STOCK, 7),
        *aggregator_requirements(results),
        *fan_out_requirements(results),
        *hedging_requirements(results),
        observing_requirement(results),
        Requirement(
            f"{streams.STREAMS:,} open SSE streams: threads added",
            AT_MOST,
            0,
            results.spread(streams.WORK, RENDERED.name, "threads added"),
        ),
        *broadcast_requirements(results),
        rate_requirement(results, SYNC, "sync view", STOCK, 1.8),
        start_requirement(results),
        Requirement(
            "rendering the template: seconds",
            AT_MOST,
            0.6,
            results.spread(rendering.WORK, rendering.CONTENDER, "seconds"),
        ),
    ]


def aggregator_requirements(results: Results) -> Iterator[Requirement]:
    for clients in AGGREGATOR_CLIENTS:
        work, text = aggregator_work(clients), f"aggregator, {clients} clients"
        yield rate_requirement(results, work, text, ARTICLE, 10)
        yield rate_requirement(results, work, text, FASTAPI_HTTPX, 3)
        yield rate_requirement(results, work, text, FASTAPI_AIOHTTP, 1, aim=True)


def fan_out_requirements(results: Results) -> Iterator[Requirement]:
    for size, limit in ((10, 1.02), (500, 1.3)):
        elapsed = results.spread(elapsed_work(size), RENDERED.name, "elapsed / 1 s")
        yield Requirement(f"1 s upstream, fan-out {size}: seconds", AT_MOST, limit, elapsed)
    large, small = cost_work(1000, 0.0), cost_work(10, 0.0)
    answered = results.spread(large, RENDERED.name, "calls answered")
    yield Requirement("fan-out 1,000: calls answered", AT_LEAST, 1000, answered)
    for figure in ("CPU µs per call", "wall µs per call"):
        growth = ratio(
            results.values(large, RENDERED.name, figure),
            results.values(small, RENDERED.name, figure),
        )
        yield Requirement(f"fan-out 1,000: times the {figure} at 10", AT_MOST, 1.5, growth)


def hedging_requirements(results: Results) -> Iterator[Requirement]:
    hedged = results.values(hedging.WORK, HEDGED.name, "p99 ms")
    shorter = ratio(hedged, results.values(hedging.WORK, RENDERED.name, "p99 ms"))
    yield Requirement("1 slow call of 100: p99 hedged, times unhedged", AT_MOST, 0.5, shorter)
    extra = results.spread(hedging.WORK, HEDGED.name, "extra calls %")
    yield Requirement("1 slow call of 100: extra calls, %", AT_MOST, 5, extra)


def broadcast_requirements(results: Results) -> Iterator[Requirement]:
    for figure, comparison, limit in (
        ("threads added", AT_MOST, 0),
        ("clients with their event", AT_LEAST, broadcast.STREAMS),
    ):
        measured = results.spread(broadcast.WORK, RENDERED.name, figure)
        yield Requirement(f"{broadcast.WORK}: {figure}", comparison, limit, measured)
    memory = ratio(
        results.values(broadcast.WORK, RENDERED.name, "KiB per stream"),
        results.values(broadcast.WORK, broadcast.STOCK_NAME, "KiB per stream"),
    )
    text = f"{broadcast.STREAMS:,} open SSE streams: times the KiB per stream of stock Django"
    yield Requirement(text, AT_MOST, 1, memory)


def start_requirement(results: Results) -> Requirement:
    measured = ratio(
        results.values(start.WORK, RENDERED.name, start.FIGURE),
        results.values(start.WORK, STOCK.name, start.FIGURE),
    )
    return Requirement(
        "import of the application: times the CPU of stock Django", AT_MOST, 1.15, measured
    )


def observing_requirement(results: Results) -> Requirement:
    figure = "requests/s"
    measured = ratio(
        results.values(observing.WORK, OBSERVED.name, figure),
        results.values(observing.WORK, UNOBSERVED.name, figure),
    )
    text = "aggregator with logs, metrics, request ids: times that without"
    return Requirement(text, AT_LEAST, 0.85, measured)


def rate_requirement(
    results: Results, work: str, text: str, other: Contender, limit: float, *, aim: bool = False
) -> Requirement:
    """How many times the requests per second of `other` the rendered project serves."""
    figure = "requests/s"
    measured = ratio(
        results.values(work, RENDERED.name, figure), results.values(work, other.name, figure)
    )
    requirement = Requirement(f"{text}: times {other.name}", AT_LEAST, limit, measured, aim)
    for contender in (RENDERED, other):
        if results.has_failed(work, contender.name):
            return replace(requirement, remark=f"{contender.name} failed")
    return requirement

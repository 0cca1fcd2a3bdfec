"""Prometheus metrics of calls to other servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

from prometheus_client import Histogram
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from onloop.http.breaker import State
from onloop.http.errors import HTTPClientError
from onloop.observe.metrics import SECONDS

if TYPE_CHECKING:
    from onloop.http.origins import Origin

MAX_ORIGINS = 100

UPSTREAM_SECONDS = Histogram(
    "upstream_call_duration_seconds",
    "Duration of one attempt to call another server, including the wait for a connection.",
    ("origin", "outcome"),
    buckets=SECONDS,
)

_origins: set[str] = set()


class CallDurations:
    """The durations of the calls to one server, by outcome: `ok`, `cancelled`, or the error's type.

    Servers beyond the first `MAX_ORIGINS` are measured together, as `other`.
    """

    def __init__(self, origin: str) -> None:
        if len(_origins) < MAX_ORIGINS:
            _origins.add(origin)
        self._origin = origin if origin in _origins else "other"
        self._seconds = cache(self._histogram)

    def measure(self, seconds: float, error: BaseException | None) -> None:
        """Record a call that took this many seconds and ended with this error, or without one."""
        if error is None:
            outcome = "ok"
        else:
            outcome = error.type if isinstance(error, HTTPClientError) else "cancelled"
        self._seconds(outcome).observe(seconds)

    def _histogram(self, outcome: str) -> Histogram:
        return UPSTREAM_SECONDS.labels(self._origin, outcome)


class OriginCollector(Collector):
    """Collects the retries and hedged calls to each server, and the state of its circuit."""

    def __init__(self, origins: Callable[[], Mapping[str, Origin]]) -> None:
        self._origins = origins

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of the first `MAX_ORIGINS` servers."""
        retries = CounterMetricFamily(
            "upstream_retries", "Attempts after the first one.", labels=["origin"]
        )
        hedges = CounterMetricFamily(
            "upstream_hedges", "Second copies of slow calls.", labels=["origin"]
        )
        circuits = GaugeMetricFamily(
            "upstream_circuit", "1 for the current state, else 0.", labels=["origin", "state"]
        )
        for name, origin in islice(self._origins().items(), MAX_ORIGINS):
            retries.add_metric([name], origin.retry_budget.withdrawn)
            hedges.add_metric([name], origin.hedge.budget.withdrawn)
            for state in State:
                circuits.add_metric([name, state], state is origin.breaker.state)
        return retries, hedges, circuits

"""Prometheus metrics of requests and the event loop, shown by `onloop.probes.exposition`.

They are measured only while `settings.METRICS` is on. Labels have few values: the pattern of a URL,
never its path. https://prometheus.io/docs/practices/naming/
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from time import perf_counter

from prometheus_client import Gauge, Histogram, disable_created_metrics

from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.observe.exchange import Exchange

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "WEBSOCKET"}
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_LAG_SAMPLED_EVERY = 0.5

# These would add a line to each histogram that nothing reads.
disable_created_metrics()  # type: ignore[no-untyped-call]
_IN_FLIGHT = Gauge(
    "http_requests_in_flight",
    "Requests whose response has not ended, including streams and WebSockets.",
)
_REQUEST_SECONDS = Histogram(
    "http_request_duration_seconds",
    "Time from a request to the end of its response.",
    ("method", "route", "status"),
    buckets=SECONDS,
)
_LAG = Histogram(
    "event_loop_lag_seconds",
    "Event-loop lag: how late a timer of the event loop fired.",
    buckets=SECONDS,
)


class InFlight:
    """ASGI middleware that counts the requests and WebSockets in progress."""

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, and count it meanwhile."""
        with _IN_FLIGHT.track_inprogress():
            await self.app(scope, receive, send)


def measure_request(exchange: Exchange) -> None:
    """Add an exchange that has ended to the histogram of its route."""
    method = exchange.method if exchange.method in _METHODS else "OTHER"
    _request_seconds(method, exchange.route, exchange.status).observe(exchange.seconds)


# labels() takes longer than observe(), so its result is cached.
@cache
def _request_seconds(method: str, route: str, status: int) -> Histogram:
    return _REQUEST_SECONDS.labels(method, route, status)


@asynccontextmanager
async def event_loop_lag_measured() -> AsyncIterator[None]:
    """Measure the lag of the running event loop. A resource of the ASGI lifespan."""
    task = asyncio.create_task(_measure_lag())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _measure_lag() -> None:
    while True:
        due = perf_counter() + _LAG_SAMPLED_EVERY
        await asyncio.sleep(_LAG_SAMPLED_EVERY)
        _LAG.observe(max(0.0, perf_counter() - due))

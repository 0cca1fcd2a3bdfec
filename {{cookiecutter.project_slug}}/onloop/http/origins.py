"""Calls that survive a server's failures, and the state that is kept for each server.

An app that calls another server starts here::

    origin = origin_of(url)
    async with http_client() as client:
        body = await origin.get(client, url, timeout=10.0, max_bytes=1_048_576, until=until)

The state is shared by all requests of the process, and lost with it.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from time import perf_counter
from urllib.parse import urlsplit

from prometheus_client import REGISTRY

from onloop.conf import settings
from onloop.http.breaker import Breaker, Period
from onloop.http.budget import Budget
from onloop.http.client import Client
from onloop.http.hedge import Hedge
from onloop.http.limits import BodyQuota
from onloop.http.metrics import CallDurations, OriginCollector
from onloop.http.retry import retried

RETRIED_CALLS = 0.1
RETRY_BURST = 10


class Origin:
    """One server, identified by scheme, host and port (RFC 6454)."""

    def __init__(self, name: str) -> None:
        self.breaker = Breaker(
            name,
            percent=settings.HTTP_BREAKER_PERCENT,
            seconds=settings.HTTP_BREAKER_SECONDS,
        )
        self.hedge = Hedge()
        self.durations = CallDurations(name)
        self.retry_budget = Budget(RETRIED_CALLS, RETRY_BURST, full=True)

    async def get(
        self,
        client: Client,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109
        max_bytes: int,
        until: float,
        quota: BodyQuota | None = None,
    ) -> bytes:
        """Return the result of `client.get`, with retries, hedging and the circuit breaker.

        Each attempt takes at most `timeout` seconds. No retry starts after `until`, a time of the
        event loop's clock. The breaker counts the call once, by its outcome, whatever the number of
        attempts.

        Raises:
            CircuitOpenError: the server is being skipped.
            HTTPClientError: the last attempt of `client.get` has failed.
        """
        with self.breaker.call() as period:
            send = partial(client.get, url, timeout=timeout, max_bytes=max_bytes, quota=quota)
            call: Callable[[], Awaitable[bytes]] = partial(self._attempt, period, send)
            if settings.HTTP_HEDGING:
                call = partial(self.hedge.call, call)
            return await retried(
                call, retries=settings.HTTP_RETRIES, budget=self.retry_budget, until=until
            )

    async def _attempt(self, period: Period, send: Callable[[], Awaitable[bytes]]) -> bytes:
        period.check()
        start = perf_counter()
        try:
            body = await send()
        except BaseException as error:
            self._measure(start, error)
            raise
        self._measure(start)
        return body

    def _measure(self, start: float, error: BaseException | None = None) -> None:
        if settings.METRICS:
            self.durations.measure(perf_counter() - start, error)


_origins: dict[str, Origin] = {}


def origin_of(url: str) -> Origin:
    """Return the server of `url`; the same object for every URL of that server."""
    parts = urlsplit(url)
    name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()
    if name not in _origins:
        _origins[name] = Origin(name)
    return _origins[name]


def origins() -> Mapping[str, Origin]:
    """Return the servers known so far, by name such as `https://example.com`."""
    return _origins


REGISTRY.register(OriginCollector(origins))

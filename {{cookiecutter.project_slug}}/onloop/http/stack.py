"""The transports of one upstream, each around the next one, and the state of its concerns."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from onloop.conf import settings
from onloop.http._httpx import AsyncBaseTransport
from onloop.http.attempt import AttemptTransport, Measure, within
from onloop.http.breaker import Breaker, BreakerTransport, Circuit, State
from onloop.http.bulkhead import Bulkhead, BulkheadTransport
from onloop.http.cache import Cache, CacheTransport
from onloop.http.deadline import DeadlineTransport
from onloop.http.hedge import Hedge, HedgeTransport
from onloop.http.loop_wire import LoopWire
from onloop.http.quota import BodyQuota
from onloop.http.rate import Rate, RateTransport
from onloop.http.retry import Retries, RetryTransport
from onloop.http.single_flight import SingleFlightTransport


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What an upstream declares about its calls; see `onloop.http.Upstream`."""

    name: str
    retries: int | None
    hedge: bool | None
    breaker: Breaker | None
    max_connections: int
    rate: Rate | None
    coalesce: bool
    cache: Cache | None
    max_bytes: int
    deadline_header: str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of an upstream now: calls by state, and counts since the process started."""

    in_flight: int
    waiting: int
    limit: int
    retries: int
    hedges: int
    joined: int
    circuit: State
    cache: Mapping[str, int]


class Stack:
    """The transports of one upstream. `transport` is the outermost."""

    def __init__(self, options: Options) -> None:
        breaker = options.breaker or Breaker(
            settings.HTTP_BREAKER_PERCENT, settings.HTTP_BREAKER_SECONDS
        )
        retries = settings.HTTP_RETRIES if options.retries is None else options.retries
        hedged = settings.HTTP_HEDGING if options.hedge is None else options.hedge
        self.circuit = Circuit(options.name, breaker)
        self.retries = Retries(retries, self.circuit)
        self._hedge = Hedge() if hedged else None
        self._bulkhead = Bulkhead(options.max_connections)
        self._measure = _measure(options.name)
        self.wire = LoopWire()

        transport: AsyncBaseTransport = AttemptTransport(
            self.wire, max_bytes=options.max_bytes, measure=self._measure
        )
        if settings.TRACING:
            from onloop.http.spans import SpanTransport  # OpenTelemetry is optional.

            transport = SpanTransport(transport, options.name)
        if options.deadline_header:  # Here, so that a retry tells what is left by then.
            transport = DeadlineTransport(transport, options.deadline_header)
        transport = BulkheadTransport(transport, self._bulkhead)
        if self._hedge:
            transport = HedgeTransport(transport, self._hedge)
        self._rate = None
        if options.rate:
            transport = self._rate = RateTransport(transport, options.name, options.rate)
        transport = RetryTransport(transport, self.retries)
        transport = BreakerTransport(transport, self.circuit)
        transport = DeadlineTransport(transport)
        self._single_flight = None
        if options.coalesce or options.cache:
            transport = self._single_flight = SingleFlightTransport(transport)
        self._cache = None
        if options.cache:
            transport = self._cache = CacheTransport(transport, options.name, options.cache)
        self.transport = transport
        self._short = not (options.rate or options.coalesce or options.cache or settings.TRACING)

    @property
    def has_short_way(self) -> bool:
        """Whether `get_body()` does all that the transports would do."""
        return self._short and self.wire.mocked is None

    async def get_body(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: float,  # noqa: ASYNC109
        max_bytes: int,
        quota: BodyQuota | None,
    ) -> bytes:
        """Return the body of a successful answer to `GET url`: the short way for a fan-out.

        It has the same breaker, retries, hedging, bulkhead, limits and metrics as the transports,
        and none of the objects of httpx, which take longer than the rest of a call.

        Raises:
            HTTPError: the last attempt has failed, with this error.
        """
        with self.circuit.call():
            attempt = partial(self._attempt, url, headers, timeout, max_bytes, quota)
            call: Callable[[], Awaitable[bytes]] = attempt
            if self._hedge:
                call = partial(self._hedge.call, attempt)
            return await self.retries.call(call)

    async def _attempt(
        self,
        url: str,
        headers: Mapping[str, str],
        seconds: float,
        max_bytes: int,
        quota: BodyQuota | None,
    ) -> bytes:
        slots = await self._bulkhead.enter(seconds)
        start = perf_counter()
        try:
            body = await within(
                seconds, self.wire.get_body(url, headers, max_bytes, quota, seconds)
            )
        except BaseException as error:
            self._measure(perf_counter() - start, error)
            raise
        finally:
            self._bulkhead.leave(slots)
        self._measure(perf_counter() - start, None)
        return body

    def figures(self) -> Figures:
        """Return what is known of the upstream now."""
        cache = self._cache
        return Figures(
            in_flight=self._bulkhead.in_flight,
            waiting=self._bulkhead.waiting + (self._rate.waiting if self._rate else 0),
            limit=self._bulkhead.limit,
            retries=self.retries.budget.withdrawn,
            hedges=self._hedge.budget.withdrawn if self._hedge else 0,
            joined=self._single_flight.joined if self._single_flight else 0,
            circuit=self.circuit.state,
            cache={
                "hit": cache.hits,
                "stale": cache.stale,
                "revalidated": cache.revalidated,
                "miss": cache.misses,
            }
            if cache
            else {},
        )


def _measure(name: str) -> Measure:
    if not settings.METRICS:
        return lambda seconds, outcome: None
    from onloop.http.metrics import CallDurations  # Prometheus takes 10 ms to import.

    return CallDurations(name)

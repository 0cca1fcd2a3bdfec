"""Hedged calls: a call that takes longer than most is sent again, and the first response wins.

After Jeffrey Dean and Luiz André Barroso, "The Tail at Scale", 2013; https://doi.org/10.1145/2408776.2408794
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from math import ceil
from time import perf_counter

from onloop.http._httpx import AsyncBaseTransport, HTTPError, Request, Response
from onloop.http.budget import Budget
from onloop.http.exceptions import is_passing
from onloop.http.repeating import may_repeat

_PERCENTILE = 95
_EXTRA_CALLS = 0.05
_BURST = 10
_WINDOW = 500
_RECOMPUTED_EVERY = 50


class Hedge:
    """The calls to one upstream, hedged after the 95th percentile of their recent durations.

    The percentile is recomputed after every 50 responses, from the last 500. At most 5 % of the
    calls get a second copy.
    """

    def __init__(self) -> None:
        self.delay: float | None = None  # Seconds; None until there are enough responses.
        self.budget = Budget(_EXTRA_CALLS, _BURST, full=False)
        self._durations: deque[float] = deque(maxlen=_WINDOW)
        self._responses = 0

    async def call[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Return the result of `call()` or of its second copy, whichever is first.

        If one copy fails, the result is that of the other.

        Raises:
            HTTPError: both have failed; this is the error of the first copy.
        """
        self.budget.deposit()
        start = perf_counter()
        result = await (call() if self.delay is None else self._race(call, self.delay))
        # If the second copy wins, this is less than the first would have taken, but more than the
        # percentile, so it does not shift the percentile.
        if not _is_failure(result):
            self._learn(perf_counter() - start)
        return result

    async def _race[T](self, call: Callable[[], Awaitable[T]], delay: float) -> T:
        copies = [asyncio.ensure_future(call())]
        winner = None
        try:
            await asyncio.wait(copies, timeout=delay)
            if not copies[0].done() and self.budget.withdraw():
                copies.append(asyncio.ensure_future(call()))
            winner = await _first_answer(copies)
            return winner.result()
        finally:
            for copy in copies:
                copy.cancel()
            for result in await asyncio.gather(*copies, return_exceptions=True):
                if isinstance(result, Response) and (winner is None or result != winner.result()):
                    await result.aclose()

    def _learn(self, duration: float) -> None:
        self._durations.append(duration)
        self._responses += 1
        if self._responses % _RECOMPUTED_EVERY == 0:
            durations = sorted(self._durations)
            self.delay = durations[ceil(len(durations) * _PERCENTILE / 100) - 1]


async def _first_answer[T](copies: Sequence[asyncio.Future[T]]) -> asyncio.Future[T]:
    pending = set(copies)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for copy in done:
            error = copy.exception()
            if not _is_failure(copy.result() if error is None else error):
                return copy
    return copies[0]


def _is_failure(outcome: object) -> bool:
    return isinstance(outcome, HTTPError) or (isinstance(outcome, Response) and is_passing(outcome))


class HedgeTransport(AsyncBaseTransport):
    """Sends a slow request again, if it may be repeated."""

    def __init__(self, next_: AsyncBaseTransport, hedge: Hedge) -> None:
        self._next = next_
        self._hedge = hedge

    async def handle_async_request(self, request: Request) -> Response:
        """Return the first response to the request or to its copy.

        Raises:
            HTTPError: both have failed; this is the error of the first copy.
        """
        if not may_repeat(request):
            return await self._next.handle_async_request(request)
        return await self._hedge.call(partial(self._next.handle_async_request, request))

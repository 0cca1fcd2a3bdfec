"""Retries: a call with a transient failure is repeated after a short delay."""

from asyncio import sleep
from collections.abc import Awaitable, Callable
from functools import partial
from random import uniform

from onloop.http._httpx import AsyncBaseTransport, HTTPError, HTTPStatusError, Request, Response
from onloop.http.breaker import Circuit
from onloop.http.budget import Budget
from onloop.http.deadline import time_left
from onloop.http.exceptions import is_passing
from onloop.http.repeating import may_repeat
from onloop.http.retry_after import requested_pause
from onloop.http.streaming import is_buffered

_FIRST_BACK_OFF = 0.1
_LONGEST_BACK_OFF = 5.0
_RETRIED_CALLS = 0.1
_BURST = 10


class Retries:
    """The retries of the calls to one upstream: `limit` per call, and a tenth of all calls."""

    def __init__(self, limit: int, circuit: Circuit) -> None:
        self.limit = limit
        self.budget = Budget(_RETRIED_CALLS, _BURST, full=True)
        self._circuit = circuit

    async def call[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Await `call()`, and repeat it after a transient failure.

        Each retry waits for the time that the upstream requests with `Retry-After`, plus an
        exponential back-off with full jitter, so that clients that failed together do not retry
        together. No retry starts after the caller's deadline, while the circuit is open, or when
        the budget is used up.
        https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

        Raises:
            HTTPError: the last attempt has failed, with this error.
        """
        self.budget.deposit()
        for attempt in range(self.limit):
            try:
                result = await call()
            except HTTPError as error:
                if not await self._pause(attempt, error):
                    raise
            else:
                if not isinstance(result, Response) or not is_buffered(result):
                    return result
                if not await self._pause(attempt, result):
                    return result
        return await call()

    async def _pause(self, attempt: int, outcome: HTTPError | Response) -> bool:
        """Wait before a retry, and return whether there is one."""
        if not is_passing(outcome) or self._circuit.is_open:
            return False
        pause = uniform(0, min(_LONGEST_BACK_OFF, _FIRST_BACK_OFF * 2**attempt))  # noqa: S311
        pause += _requested(outcome)
        left = time_left()
        if (left is not None and pause >= left) or not self.budget.withdraw():
            return False
        await sleep(pause)
        return not self._circuit.is_open


def _requested(outcome: HTTPError | Response) -> float:
    """Return the seconds that the upstream asks to wait, if any."""
    if isinstance(outcome, HTTPStatusError):
        outcome = outcome.response
    if not isinstance(outcome, Response):
        return 0.0
    return requested_pause(outcome.headers.get("Retry-After"))


class RetryTransport(AsyncBaseTransport):
    """Repeats calls that failed for a moment, if their requests may be repeated."""

    def __init__(self, next_: AsyncBaseTransport, retries: Retries) -> None:
        self._next = next_
        self._retries = retries

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request, several times if necessary.

        Raises:
            HTTPError: the last attempt has failed, with this error.
        """
        if not self._retries.limit or not may_repeat(request):
            return await self._next.handle_async_request(request)
        return await self._retries.call(partial(self._next.handle_async_request, request))

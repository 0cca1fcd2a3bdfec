"""Retries: a call with a transient failure is repeated after a short delay."""

import asyncio
from asyncio import sleep
from collections.abc import Awaitable, Callable
from random import uniform

from onloop.http.budget import Budget
from onloop.http.errors import CircuitOpenError, HTTPClientError
from onloop.http.retry_after import requested_pause

FIRST_BACK_OFF = 0.1
LONGEST_BACK_OFF = 5.0


async def retried[T](
    call: Callable[[], Awaitable[T]], *, retries: int, budget: Budget, until: float
) -> T:
    """Await `call()`, and repeat it at most `retries` times after a transient failure.

    Each retry waits for the time that the server requests with `Retry-After`, plus an exponential
    back-off with full jitter, so that clients that failed together do not retry together. No retry
    starts after `until`, a time of the event loop's clock, or when the `budget` is used up.
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/

    Raises:
        HTTPClientError: the last attempt has failed, with this error.
    """
    budget.deposit()
    reason: HTTPClientError | None = None
    attempt = 0
    while True:
        try:
            return await call()
        except CircuitOpenError as error:
            last = reason or error
            raise last from last.__cause__
        except HTTPClientError as error:
            if attempt == retries or not error.passing:
                raise
            pause = uniform(0, min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2**attempt))  # noqa: S311
            pause += requested_pause(getattr(error, "retry_after", None))
            if asyncio.get_running_loop().time() + pause >= until or not budget.withdraw():
                raise
            reason = error
        await sleep(pause)
        attempt += 1

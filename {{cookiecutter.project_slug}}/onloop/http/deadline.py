"""Deadlines: the moment at which the work of a caller ends, whatever it is waiting for.

The moment is in the caller's context, so calls below need no argument for it, and neither do tasks
that are started within the block. As in gRPC: https://grpc.io/docs/guides/deadlines/
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from time import monotonic

from onloop.http._httpx import AsyncBaseTransport, Request, Response
from onloop.http.exceptions import DeadlineExceeded

_moment: ContextVar[float | None] = ContextVar("deadline", default=None)
"""The moment on the clock `time.monotonic()`, which is also that of event loops."""


class deadline:  # noqa: N801 - used like asyncio.timeout
    """A block, `with` or `async with`, whose calls end `seconds` after its start at the latest.

    Within the block of an earlier deadline, that one stays. The block itself is not interrupted:
    its calls through an `Upstream` raise `DeadlineExceeded`, and `time_left()` tells other code.

    Example::

        with deadline(2.0):
            item = await catalog.get(f"/items/{pk}")
            stock = await stocks.get(f"/stock/{pk}")  # With what the first call has left.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def __enter__(self) -> None:
        moment, outer = monotonic() + self._seconds, _moment.get()
        self._outer: Token[float | None] = _moment.set(
            moment if outer is None else min(moment, outer)
        )

    def __exit__(self, *exception: object) -> None:
        _moment.reset(self._outer)

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(self, *exception: object) -> None:
        self.__exit__()


def time_left() -> float | None:
    """Return the seconds until the deadline, 0 if it has passed, or `None` without one."""
    moment = _moment.get()
    return None if moment is None else max(0.0, moment - monotonic())


async def call_in_time(
    call: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    """Await `call(request)`, which is cancelled when the caller's deadline passes.

    Raises:
        DeadlineExceeded: the deadline passed first, or had passed before: nothing was sent then.
    """
    left = time_left()
    if left is None:
        return await call(request)
    if not left:
        message = "The deadline had passed before the call. Nothing was sent."
        raise DeadlineExceeded(message, request=request)
    try:
        async with asyncio.timeout(left) as timeout:
            return await call(request)
    except TimeoutError as error:
        if not timeout.expired():
            raise
        message = f"The deadline passed {left:.3g} s after the call began."
        raise DeadlineExceeded(message, request=request) from error


class DeadlineTransport(AsyncBaseTransport):
    """Ends each call with `DeadlineExceeded` when the deadline of its caller passes.

    This covers everything below: waits, attempts and retries, up to the complete answer, or the
    head of a streamed one. Reading its body takes as long as the caller reads.

    `header` is the name of the header that carries what is left of the deadline, in whole
    milliseconds, so that the upstream need not work for nobody, like gRPC's `grpc-timeout` (which
    has a unit as well) or Envoy's `x-envoy-upstream-rq-timeout-ms`. It is set when the call passes
    through here, so retries below repeat its value.
    """

    def __init__(self, next_: AsyncBaseTransport, header: str | None = None) -> None:
        self._next = next_
        self._header = header

    async def handle_async_request(self, request: Request) -> Response:
        """Make the call within its caller's deadline.

        Raises:
            DeadlineExceeded: the deadline has passed.
        """
        left = time_left()
        if left is None:
            return await self._next.handle_async_request(request)
        if self._header is not None:
            # Rounded down, so that the upstream does not work longer than the caller waits.
            request.headers[self._header] = str(max(1, int(left * 1000)))
        return await call_in_time(self._next.handle_async_request, request)

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._next.aclose()

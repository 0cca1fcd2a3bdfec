"""Bulkheads: each upstream has connections of its own, so that a slow one cannot take another's.

After Michael Nygard, "Release It!"; https://learn.microsoft.com/azure/architecture/patterns/bulkhead
"""

import asyncio
from contextlib import AsyncExitStack

from onloop.http._httpx import AsyncBaseTransport, Request, Response
from onloop.http.exceptions import BulkheadFull
from onloop.http.streaming import close_with_stream, is_buffered
from onloop.per_loop import PerLoop


class Bulkhead:
    """The calls to one upstream: `limit` at a time on each event loop, first come, first served."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.in_flight = 0
        self.waiting = 0
        self._slots = PerLoop(lambda: asyncio.Semaphore(limit))

    async def enter(self, seconds: float | None) -> asyncio.Semaphore:
        """Wait for a slot, and return what `leave()` gives it back to.

        Raises:
            BulkheadFull: none became free within `seconds`.
        """
        slots = self._slots.get()
        if slots.locked():
            await self._wait(slots, seconds)
        else:
            await slots.acquire()
        self.in_flight += 1
        return slots

    def leave(self, slots: asyncio.Semaphore) -> None:
        """Give a slot back."""
        self.in_flight -= 1
        slots.release()

    async def _wait(self, slots: asyncio.Semaphore, seconds: float | None) -> None:
        self.waiting += 1
        try:
            async with asyncio.timeout(seconds):
                await slots.acquire()
        except TimeoutError as error:
            raise BulkheadFull(f"No connection was free within {seconds:g} s.") from error
        finally:
            self.waiting -= 1


class BulkheadTransport(AsyncBaseTransport):
    """Holds a slot for each call: until its answer is complete, or its stream is closed."""

    def __init__(self, next_: AsyncBaseTransport, bulkhead: Bulkhead) -> None:
        self._next = next_
        self._bulkhead = bulkhead

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request when there is a slot, for which it waits as long as for httpx's pool.

        Raises:
            BulkheadFull: no slot became free in time. Nothing was sent.
            HTTPError: the call failed.
        """
        slots = await self._bulkhead.enter(request.extensions.get("timeout", {}).get("pool"))
        try:
            response = await self._next.handle_async_request(request)
        except BaseException:
            self._bulkhead.leave(slots)
            raise
        if is_buffered(response):
            self._bulkhead.leave(slots)
        else:
            held = AsyncExitStack()
            held.callback(self._bulkhead.leave, slots)
            close_with_stream(response, held)
        return response

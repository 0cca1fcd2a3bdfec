"""One value or one client per event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from weakref import WeakKeyDictionary


class PerLoop[T]:
    """One value per event loop, made when it is first needed and dropped with its loop."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._values: WeakKeyDictionary[asyncio.AbstractEventLoop, T] = WeakKeyDictionary()

    def get(self) -> T:
        """Return the value of the running event loop."""
        loop = asyncio.get_running_loop()
        try:
            return self._values[loop]
        except KeyError:
            value = self._values[loop] = self._make()
            return value

    def set(self, value: T) -> None:
        """Replace the value of the running event loop."""
        self._values[asyncio.get_running_loop()] = value


class SharedClient[Client]:
    """A client from `open_client` that is shared on each event loop, since it belongs to one loop.

    Without a lifespan that keeps it open (test client, WSGI, `async_to_sync`), each block opens its
    own client, because the loop ends with the request.
    """

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        self._open = open_client
        self._kept: PerLoop[Client | None] = PerLoop(lambda: None)

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[None]:
        """Keep one client open on the running event loop."""
        async with self._open() as client:
            self._kept.set(client)
            try:
                yield
            finally:
                self._kept.set(None)

    def kept(self) -> Client | None:
        """Return the client that is kept open on the running event loop, if any."""
        return self._kept.get()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Yield the client that is kept open on the running event loop, or one for this block."""
        kept = self._kept.get()
        if kept is not None:
            yield kept
            return
        async with self._open() as client:
            yield client

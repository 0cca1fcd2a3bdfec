"""A client that all of an event loop share, open for as long as the server runs on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager


class OnePerLoop[Client]:
    """What `open_client` opens, at most once for each event loop: a client belongs to one.

    Where no lifespan keeps one open (the test client, WSGI, `async_to_sync`), each block gets one
    of its own: there the loop is gone after the request.
    """

    def __init__(self, open_client: Callable[[], AbstractAsyncContextManager[Client]]) -> None:
        self._open = open_client
        self._kept: dict[asyncio.AbstractEventLoop, Client] = {}

    @asynccontextmanager
    async def kept_open(self) -> AsyncIterator[None]:
        """Keep one client open on the running event loop."""
        loop = asyncio.get_running_loop()
        async with self._open() as client:
            self._kept[loop] = client
            try:
                yield
            finally:
                del self._kept[loop]

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Yield the client of the running event loop, or one for this block."""
        kept = self._kept.get(asyncio.get_running_loop())
        if kept is not None:
            yield kept
            return
        async with self._open() as client:
            yield client

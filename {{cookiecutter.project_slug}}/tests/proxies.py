"""A TCP proxy in front of a real service, for a service that goes away and comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on; `stop()` cuts all connections and refuses new ones, until `start()`.

    While `flowing` is clear, connections are accepted and kept, and nothing passes.
    """

    def __init__(self, url: str, port: int) -> None:
        self._behind = urlsplit(url)
        self._default_port = port
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self.flowing = asyncio.Event()

    @property
    def url(self) -> str:
        user, at, _ = self._behind.netloc.rpartition("@")
        return urlunsplit(self._behind._replace(netloc=f"{user}{at}127.0.0.1:{self._port}"))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        self.flowing.set()

    async def stop(self) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._behind.port or self._default_port
        inner, outer = await asyncio.open_connection(self._behind.hostname, port)
        self._writers |= {writer, outer}
        await asyncio.gather(self._pass(reader, outer), self._pass(inner, writer))
        self._writers -= {writer, outer}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def proxy_of(url: str, port: int) -> AsyncIterator[Proxy]:
    """Serve a proxy of the service at `url`, which listens on `port` unless the URL says else."""
    proxy = Proxy(url, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        proxy.flowing.set()
        await proxy.stop()

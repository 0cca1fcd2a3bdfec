"""A TCP proxy in front of a real service, for a service that goes away and comes back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on; `stop()` cuts all connections and refuses new ones, until `start()`.

    While `flowing` is clear, connections are accepted and kept, and nothing passes. After
    `silence()`, nothing ever passes on the connections that are open, and new ones work.
    """

    def __init__(self, url: str, port: int) -> None:
        self._behind = urlsplit(url)
        self._default_port = port
        self._port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()
        self._cut_after = b""
        self.cuts = 0
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

    def silence(self) -> None:
        """Pass nothing any more on the connections that are open, and keep them open."""
        for task in self._passing:
            task.cancel()

    def cut_after(self, data: bytes) -> None:
        """Cut the next connection on which a client sends `data`; the service still gets it."""
        self._cut_after = data

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._behind.port or self._default_port
        inner, outer = await asyncio.open_connection(self._behind.hostname, port)
        self._writers |= {writer, outer}
        passing = {
            asyncio.create_task(self._pass(reader, outer, client=writer)),
            asyncio.create_task(self._pass(inner, writer)),
        }
        self._passing |= passing
        await asyncio.wait(passing)
        self._passing -= passing
        if not any(task.cancelled() for task in passing):
            for side in (writer, outer):
                side.transport.abort()
            self._writers -= {writer, outer}

    async def _pass(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        client: asyncio.StreamWriter | None = None,
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                await self.flowing.wait()
                writer.write(data)
                await writer.drain()
                if client and self._cut_after and self._cut_after in data:
                    self._cut_after = b""
                    self.cuts += 1
                    client.transport.abort()
                    return  # The service is left alone until it has answered.
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

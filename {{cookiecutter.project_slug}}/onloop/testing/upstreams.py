"""Upstreams: real HTTP servers on free ports; the test writes every byte of their responses."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest_asyncio


@dataclass
class Call:
    """One request as the upstream received it."""

    head: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def target(self) -> str:
        """The path with its query, as in the request line."""
        return self.head.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        """The headers, by lower-case names."""
        lines = self.head.split("\r\n")[1:-2]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    async def reply(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        """Send a complete response, with `headers` such as `"Retry-After: 1"`."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def send(self, data: bytes) -> None:
        """Send bytes unchanged."""
        self.writer.write(data)
        await self.writer.drain()

    async def closed(self) -> None:
        """Wait until the client has closed the connection."""
        with contextlib.suppress(ConnectionError):
            await self.reader.read()

    def reset(self) -> None:
        """End the connection with RST instead of FIN."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


type Answer = Callable[[Call], Awaitable[None]]


@dataclass
class Upstream:
    """A server that awaits `answer` for each request, and records calls and connections."""

    answer: Answer
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    writers: set[asyncio.StreamWriter] = field(default_factory=set)
    all_closed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def open_connections(self) -> int:
        """The number of connections that are open now."""
        return len(self.writers)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until the client closes it."""
        self.connections += 1
        self.writers.add(writer)
        self.all_closed.clear()
        try:
            while True:
                await self._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.writers.discard(writer)
            if not self.writers:
                self.all_closed.set()
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        call = Call(head, reader, writer)
        self.calls.append(call)
        self.in_flight += 1
        self.most_in_flight = max(self.in_flight, self.most_in_flight)
        try:
            await self.answer(call)
        finally:
            self.in_flight -= 1
        if writer.is_closing():
            raise ConnectionResetError


@contextlib.asynccontextmanager
async def serve_upstream(
    answer: Answer, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Upstream]:
    """Yield an upstream that serves on a free port; `answer` writes its responses."""
    upstream = Upstream(answer)
    server = await asyncio.start_server(upstream, "127.0.0.1", 0, ssl=tls, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    upstream.url = f"https://localhost:{port}/" if tls else f"http://127.0.0.1:{port}/"
    try:
        yield upstream
    finally:
        server.close()
        for writer in upstream.writers:
            writer.transport.abort()
        await server.wait_closed()


def barrier(count: int, reply: Answer) -> Answer:
    """Return an answer that waits for `count` calls, then replies to them, the latest first."""
    waiting: list[Call] = []
    all_in = asyncio.Event()

    async def answer(call: Call) -> None:
        waiting.append(call)
        if len(waiting) < count:
            await all_in.wait()
            return
        for other in reversed(waiting):
            await reply(other)
        waiting.clear()
        all_in.set()

    return answer


async def _empty_object(call: Call) -> None:
    await call.reply()


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    """Yield a server on a free port, which responds with `{}` until the test sets its `answer`."""
    async with serve_upstream(_empty_object) as upstream:
        yield upstream

"""Real servers for tests: upstreams whose every byte a test writes, and uvicorn."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from onloop.server import APPLICATION, OPTIONS

PROJECT = Path(__file__).resolve().parent.parent
# Reading the certificates takes longer than most tests: once for all of their clients.
TLS = httpx.create_ssl_context()


@dataclass
class Call:
    """One request as the upstream received it."""

    head: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def target(self) -> str:
        return self.head.split(" ")[1]

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.split("\r\n")[1:-2]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    async def reply(self, body: bytes = b"{}", status: str = "200 OK", *headers: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
        await self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def closed(self) -> None:
        """Return when the client has closed the connection."""
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
    """A server that answers each request by awaiting ``answer``; what happened to it is counted."""

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
        return len(self.writers)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
    """Serve on a free port; ``answer`` writes what the client receives."""
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
    """Answer nobody until ``count`` calls are in; then all of them, the last that came first."""
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


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.start_ended = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.start_ended.set()


@contextlib.contextmanager
def serve_app(app: Any, **options: Any) -> Iterator[str]:
    """Serve an ASGI application by uvicorn in a thread, its lifespan included; yield its URL."""
    config = uvicorn.Config(app, log_config=None, **OPTIONS | options)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        server.start_ended.wait()
        try:
            assert server.started, "The application did not start."
            scheme = "https" if config.is_ssl else "http"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def serve_process(
    *options: str, app: str = APPLICATION, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the project by uvicorn in a process of its own; yield it and its URL."""
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "onloop.server", app]
        server = subprocess.Popen(
            [*command, "--fd", str(listener.fileno()), *options],
            cwd=PROJECT,
            env=os.environ | environment,
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    try:
        yield server, url
    finally:
        server.terminate()
        server.wait()
        if server.stderr:
            server.stderr.close()


def fetch(url: str) -> httpx.Response:
    """Return the answer to `GET url`, from a server that may still be starting."""
    return httpx.get(url, timeout=60, verify=TLS)

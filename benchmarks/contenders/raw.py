"""The floor: a bare ASGI application, its fan-out on raw sockets kept open between requests.

No routing beyond a dictionary, no middleware, no URL or header parsing, no limits: what is left is
the price of the server, the event loop and the sockets.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from benchmarks.contenders import options

type Message = dict[str, Any]
type Send = Callable[[Message], Awaitable[None]]

UPSTREAM = urlsplit(options.UPSTREAM_URL)
HOST, PORT = str(UPSTREAM.hostname), UPSTREAM.port or 80
REQUESTS = [
    f"GET {UPSTREAM.path}?task_id={task_id} HTTP/1.1\r\nHost: {UPSTREAM.netloc}\r\n\r\n".encode()
    for task_id in range(options.FAN_OUT)
]


class UpstreamConnection(asyncio.Protocol):
    """One kept-alive connection that carries one call at a time."""

    idle: ClassVar[list["UpstreamConnection"]] = []

    transport: asyncio.Transport
    answer: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def call(self, request: bytes) -> asyncio.Future[bytes]:
        """Send `request`; the future gets the body."""
        self.buffer = b""
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, separator, body = self.buffer.partition(b"\r\n\r\n")
        if separator and len(body) == int(head.rpartition(b"Content-Length: ")[2]):
            self.answer.set_result(body)

    def connection_lost(self, exc: Exception | None) -> None:
        if self in self.idle:
            self.idle.remove(self)
        elif not self.answer.done():
            self.answer.set_exception(exc or ConnectionError("the upstream closed the connection"))


async def fetch(request: bytes) -> object:
    """The parsed JSON answer to one call, on an idle connection or a new one."""
    if UpstreamConnection.idle:
        connection = UpstreamConnection.idle.pop()
    else:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(UpstreamConnection, HOST, PORT)
    body = await connection.call(request)
    UpstreamConnection.idle.append(connection)
    return json.loads(body)


async def hello(send: Send) -> None:
    await send_json(send, {"message": "Hello World!"})


async def api_aggregated(send: Send) -> None:
    start = time.perf_counter()
    responses = await asyncio.gather(*map(fetch, REQUESTS))
    message = options.debug_message(time.perf_counter() - start)
    await send_json(send, {"responses": responses, "debug_message": message})


async def events(send: Send) -> None:
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    while True:
        event = {"type": "http.response.body", "body": b"data: tick\n\n", "more_body": True}
        await send(event)
        await asyncio.sleep(options.STREAM_INTERVAL)


async def send_json(send: Send, content: object) -> None:
    body = json.dumps(content).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


ROUTES = {"/hello/": hello, "/events/": events, "/async/api_aggregated/": api_aggregated}


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Send
) -> None:
    """The ASGI application (https://asgi.readthedocs.io/en/latest/specs/www.html)."""
    await ROUTES[scope["path"]](send)

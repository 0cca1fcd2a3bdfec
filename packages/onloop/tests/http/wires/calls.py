"""Calls of a wire, and answers of an upstream."""

import socket
from contextlib import aclosing
from typing import Any

from onloop.http._httpx import Request, Response
from onloop.http.quota import BodyQuota
from onloop.http.wires import Wire
from onloop.testing import Call


async def get(
    wire: Wire, url: str, *, max_bytes: int = 1_000_000, quota: BodyQuota | None = None
) -> bytes:
    return await wire.get_body(url, {}, max_bytes, quota)


async def send(wire: Wire, method: str, url: str, **options: Any) -> Response:
    """The response with its body, which was read and closed."""
    response = await wire.handle_async_request(Request(method, url, **options))
    async with aclosing(response):
        await response.aread()
    return response


async def hello(call: Call) -> None:
    await call.reply(b'"hello"')


async def body_of(call: Call) -> bytes:
    """The body of the request."""
    if call.headers.get("transfer-encoding") == "chunked":
        return await _chunks_of(call)
    return await call.reader.readexactly(int(call.headers.get("content-length", 0)))


async def _chunks_of(call: Call) -> bytes:
    body = b""
    while size := int(await call.reader.readuntil(b"\r\n"), 16):
        body += await call.reader.readexactly(size)
        await call.reader.readexactly(2)
    await call.reader.readexactly(2)
    return body


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

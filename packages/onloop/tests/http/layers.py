"""What the layer under test calls: transports that answer without a network, or with one."""

import asyncio
from collections.abc import Awaitable, Callable

from onloop.http._httpx import (
    AsyncBaseTransport,
    AsyncByteStream,
    ByteStream,
    Request,
    Response,
)


class Layer(AsyncBaseTransport):
    """Answers with `answer(request)`, and records the requests."""

    def __init__(self, answer: Callable[[Request], Awaitable[Response]]) -> None:
        self.requests: list[Request] = []
        self.closed = False
        self._answer = answer

    async def handle_async_request(self, request: Request) -> Response:
        self.requests.append(request)
        return await self._answer(request)

    async def aclose(self) -> None:
        self.closed = True


async def ok(_: Request) -> Response:
    return Response(200, stream=ByteStream(b"ok"))


async def forever(_: Request) -> Response:
    await asyncio.Event().wait()
    raise AssertionError


class Streamed(AsyncByteStream):
    """A body that is not in memory."""

    closed = False

    async def aclose(self) -> None:
        self.closed = True


def get(url: str = "http://prices.example/", **headers: str) -> Request:
    """A GET request; `_` in the names of headers stands for `-`."""
    return Request("GET", url, headers={k.replace("_", "-"): v for k, v in headers.items()})

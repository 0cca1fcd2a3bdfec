"""What is seen of requests from outside, and what the access log says of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.observe.access_log import log_access
from onloop.observe.exchange import Exchange, ExchangeMiddleware
from onloop.testing import serve_app
from tests.asgi.handler import exchange as client

type Serve = Callable[..., EventLoopASGIHandler]


def facts(exchange: Exchange) -> tuple[str, str, int, bool]:
    return exchange.method, exchange.route, exchange.status, exchange.complete


async def test_answer_is_seen_with_its_route(serve: Serve) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse("hello", status=201)

    seen: list[Exchange] = []
    await client.ask(ExchangeMiddleware(serve(view), seen.append), "/view/?secret=1", method="HEAD")

    assert [facts(exchange) for exchange in seen] == [("HEAD", "view/", 201, True)]
    assert seen[0].seconds > 0


async def test_url_without_a_view_has_no_route(serve: Serve) -> None:
    seen: list[Exchange] = []
    await client.ask(ExchangeMiddleware(serve(lambda request: None), seen.append), "/none")

    assert facts(seen[0]) == ("GET", "unmatched", 404, True)


async def test_stream_is_seen_at_its_end(serve: Serve) -> None:
    end = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await end.wait()

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks())

    seen: list[Exchange] = []
    stream = client.Exchange(ExchangeMiddleware(serve(view), seen.append), "/view/")
    assert await stream.chunk() == b"first"
    assert not seen
    end.set()
    await stream.task

    assert facts(seen[0]) == ("GET", "view/", 200, True)


async def test_client_that_leaves_is_seen(serve: Serve) -> None:
    begun = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        begun.set()
        await asyncio.Event().wait()
        return HttpResponse("never")

    seen: list[Exchange] = []
    request = client.Exchange(ExchangeMiddleware(serve(view), seen.append), "/view/")
    await begun.wait()
    request.disconnect()
    await request.task

    assert facts(seen[0]) == ("GET", "view/", 499, False)


async def test_client_that_leaves_a_stream_is_seen(serve: Serve) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks())

    seen: list[Exchange] = []
    stream = client.Exchange(ExchangeMiddleware(serve(view), seen.append), "/view/")
    await stream.chunk()
    stream.disconnect()
    await stream.task

    assert facts(seen[0]) == ("GET", "view/", 200, False)


async def test_exception_is_seen_and_raised() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("broken")

    seen: list[Exchange] = []
    with pytest.raises(RuntimeError, match="broken"):
        await client.ask(ExchangeMiddleware(broken, seen.append), "/")

    assert facts(seen[0]) == ("GET", "unmatched", 500, True)


async def chat(scope: Scope, receive: Receive, send: Send) -> None:
    """Do with a WebSocket what its path says."""
    await receive()
    match scope["path"]:
        case "/accepted":
            scope["exchange"].route = "chat"
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        case "/refused":
            await send({"type": "websocket.close"})
        case _:
            await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
            await send({"type": "websocket.http.response.body", "body": b""})


async def test_websockets_are_seen() -> None:
    seen: list[Exchange] = []
    app = ProtocolRouter(websocket=ExchangeMiddleware(chat, seen.append), lifespan=Lifespan())
    with serve_app(app) as url:
        url = url.replace("http", "ws")
        async with connect(f"{url}/accepted") as websocket:
            with pytest.raises(ConnectionClosed):
                await websocket.recv()
        for path in ("refused", "denied"):
            with pytest.raises(InvalidStatus):
                await connect(f"{url}/{path}")

    assert [facts(exchange) for exchange in seen] == [
        ("WEBSOCKET", "chat", 101, True),
        ("WEBSOCKET", "unmatched", 403, True),
        ("WEBSOCKET", "unmatched", 401, True),
    ]


async def test_answer_is_complete_when_its_announced_length_was_sent() -> None:
    exchange = Exchange({"type": "http", "method": "GET"}, asyncio.Queue[Any]().put)
    headers = [(b"Content-Type", b"text/css"), (b"Content-Length", b"4")]
    await exchange.send({"type": "http.response.start", "status": 200, "headers": headers})
    complete = []
    for part in (b"ab", b"cd"):
        await exchange.send({"type": "http.response.body", "body": part, "more_body": True})
        complete.append(exchange.complete)

    assert complete == [False, True]


def ended(route: str, *, complete: bool = True) -> Exchange:
    scope: Scope = {"type": "http", "method": "GET"}
    exchange = Exchange(scope, asyncio.Queue[Any]().put)
    exchange.route, exchange.status, exchange.complete = route, 200, complete
    exchange.end(failed=False)
    return exchange


def test_access_log_has_one_line_for_each(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "onloop.observe.access_log")
    log_access(ended("items/<int:id>/"))
    log_access(ended("items/", complete=False))

    first, second = client.access_log(caplog)
    assert first["seconds"] >= 0
    assert first.items() >= {
        ("event", "request"),
        ("method", "GET"),
        ("route", "items/<int:id>/"),
        ("status", 200),
    }
    assert "client_gone" not in first
    assert second["client_gone"] is True


def test_access_log_is_quiet_about_orchestrators(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "onloop.observe.access_log")
    log_access(ended("healthz"))
    assert client.access_log(caplog) == []

    caplog.set_level("DEBUG", "onloop.observe.access_log")
    log_access(ended("healthz"))
    (record,) = caplog.records
    assert record.levelname == "DEBUG"

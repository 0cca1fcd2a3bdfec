"""One id and one trace for a request, its answer and its upstream calls."""

import asyncio
from secrets import token_hex
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.observe.correlation import Correlation, outgoing_headers, trace_headers
from onloop.testing import TLS, Call, serve_app, serve_upstream
from tests.asgi.handler.exchange import ask
from tests.http.calls import declare

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


@Correlation
async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer what would be sent to upstreams."""
    body = repr(dict(outgoing_headers())).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": body})


@Correlation
async def call(scope: Scope, receive: Receive, send: Send) -> None:
    """Call the URL that is the query."""
    await declare(scope["query_string"].decode(), f"called-{token_hex(4)}").get("/")
    await send({"type": "http.response.start", "status": 200})
    await send({"type": "http.response.body"})


@Correlation
async def accept(scope: Scope, receive: Receive, send: Send) -> None:
    """Accept a WebSocket and say what would be sent to upstreams."""
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": outgoing_headers()["X-Request-ID"]})
    await send({"type": "websocket.close"})


@pytest.mark.parametrize("sent", ["abc", "A-1_2.3:4=5+6/7@8", "x" * 128])
async def test_the_callers_id_is_kept(sent: str) -> None:
    answer = await ask(echo, "/", headers={"X-Request-ID": sent})

    assert answer.headers == [("a", "b"), ("x-request-id", sent)]
    assert answer.text == repr({"X-Request-ID": sent})


@pytest.mark.parametrize("sent", ["", "x" * 129, "a b", 'a"b', "a\nb", "é", "a,b", "{}"])
async def test_what_is_no_id_is_replaced(sent: str) -> None:
    answers = [await ask(echo, "/", headers={"X-Request-ID": sent}) for _ in range(2)]

    ids = [dict(answer.headers)["x-request-id"] for answer in answers]
    assert len(set(ids)) == 2
    assert all(len(id_) == 32 and id_.isalnum() for id_ in ids)


@pytest.mark.usefixtures("wire")
async def test_upstreams_are_told_the_id_and_the_trace() -> None:
    async def answer(call: Call) -> None:
        await call.reply()

    headers = {"X-Request-ID": "abc", "traceparent": PARENT, "tracestate": "a=1,b=2"}
    async with serve_upstream(answer) as upstream:
        await ask(call, f"/?{upstream.url}", headers=headers)
        await ask(call, f"/?{upstream.url}", headers={"X-Request-ID": "def"})

    first, second = (upstream_call.headers for upstream_call in upstream.calls)
    assert {name: first[name.lower()] for name in headers} == headers
    assert second["x-request-id"] == "def"
    assert "traceparent" not in second
    assert first["accept"] == "application/json"


async def test_websockets_have_an_id_too() -> None:
    app = ProtocolRouter(websocket=accept, lifespan=Lifespan())
    with serve_app(app) as url:
        async with connect(
            url.replace("http", "ws"), additional_headers={"X-Request-ID": "abc"}
        ) as websocket:
            assert await websocket.recv() == "abc"
    assert websocket.response is not None
    assert websocket.response.headers["X-Request-ID"] == "abc"


async def test_requests_at_the_same_time_do_not_mix() -> None:
    app = ProtocolRouter(http=echo, lifespan=Lifespan())
    with serve_app(app) as url:
        async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
            answers = await asyncio.gather(
                *(client.get(url, headers={"X-Request-ID": str(n)}) for n in range(20))
            )

    assert [answer.headers["X-Request-ID"] for answer in answers] == [str(n) for n in range(20)]
    assert [answer.text for answer in answers] == [
        repr({"X-Request-ID": str(n)}) for n in range(20)
    ]


async def test_pipelined_request_does_not_inherit_the_trace_of_the_last() -> None:
    app = ProtocolRouter(http=echo, lifespan=Lifespan())
    with serve_app(app) as url:
        host, port = url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        traced = f"GET / HTTP/1.1\r\nHost: a\r\ntraceparent: {PARENT}\r\n\r\n"
        writer.write(f"{traced}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        answers = (await reader.read()).decode()
        writer.close()

    assert answers.count("HTTP/1.1 200") == 2
    assert answers.count(TRACE_ID) == 1


def received(parent: str, state: str = "a=1") -> Any:
    return trace_headers({b"traceparent": parent.encode(), b"tracestate": state.encode()})


def test_trace_is_passed_on_as_it_is() -> None:
    assert received(PARENT) == {"traceparent": PARENT, "tracestate": "a=1"}


def test_later_version_is_passed_on_as_what_is_known_of_it() -> None:
    later = {"traceparent": PARENT, "tracestate": "a=1"}
    assert received("cc" + PARENT[2:]) == later
    assert received("cc" + PARENT[2:] + "-what-the-future-brings") == later


@pytest.mark.parametrize(
    "parent",
    [
        "",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "-00",
        PARENT + "0",
        "cc" + PARENT[2:] + ".future",
        "ff" + PARENT[2:],
        PARENT.replace(TRACE_ID, "0" * 32),
        PARENT.replace("b7ad6b7169203331", "0" * 16),
        f"{PARENT},{PARENT}",
    ],
)
def test_what_is_no_trace_is_not_passed_on(parent: str) -> None:
    assert received(parent) == {}


@pytest.mark.parametrize("state", ["", "a=\n", "é=1", "a" * 513])
def test_what_is_no_state_is_not_passed_on(state: str) -> None:
    assert received(PARENT, state) == {"traceparent": PARENT}


async def test_headers_that_come_twice_are_one_list() -> None:
    scope: Scope = {
        "type": "http",
        "headers": [
            (b"traceparent", PARENT.encode()),
            (b"tracestate", b"a=1"),
            (b"tracestate", b"b=2"),
        ],
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await echo(scope, asyncio.Queue().get, send)
    assert b"'tracestate': 'a=1,b=2'" in sent[1]["body"]

"""What an upstream receives."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from onloop.asgi.types import Receive, Scope, Send
from onloop.http.wires import Wire
from onloop.observe.correlation import Correlation
from onloop.testing import Call, Upstream, serve_upstream
from tests.http.wires.calls import body_of, get, send


@pytest.fixture
def bodies(upstream: Upstream) -> list[bytes]:
    """The bodies that the upstream has received."""
    bodies: list[bytes] = []

    async def answer(call: Call) -> None:
        bodies.append(await body_of(call))
        await call.reply(b"" if call.head.startswith("HEAD ") else b"{}")

    upstream.answer = answer
    return bodies


# The head


async def test_short_get_sends_the_default_headers(wire: Wire, upstream: Upstream) -> None:
    await get(wire, f"{upstream.url}path?sig=a%2Fb%20c+d&task_id=1#part")
    (call,) = upstream.calls
    assert call.head.startswith("GET /path?sig=a%2Fb%20c+d&task_id=1 HTTP/1.1\r\n")
    assert call.headers["accept"] == "application/json"
    assert call.headers["accept-encoding"] == "identity"
    assert call.headers["user-agent"] == "Django"


async def test_headers_of_the_caller_replace_the_default_ones(
    wire: Wire, upstream: Upstream
) -> None:
    headers = {"Authorization": "Bearer token", "accept": "text/plain"}
    await wire.get_body(upstream.url, headers, 100, None)
    await send(wire, "GET", upstream.url, headers=headers)
    for call in upstream.calls:
        assert call.headers["authorization"] == "Bearer token"
        assert call.headers["accept"] == "text/plain"
        assert call.headers["user-agent"] == "Django"


async def test_repeated_headers_are_sent_as_they_are(wire: Wire, upstream: Upstream) -> None:
    headers = [(b"X-Item", b"one"), (b"X-Item", b"two"), (b"X-Name", "müller".encode())]
    await send(wire, "GET", upstream.url, headers=headers)
    (call,) = upstream.calls
    items = [line for line in call.head.split("\r\n") if line.startswith("X-Item")]
    assert items == ["X-Item: one", "X-Item: two"]
    assert call.headers["x-name"].encode("latin-1").decode() == "müller"


@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "X"]
)
async def test_any_method_without_a_body(
    wire: Wire, upstream: Upstream, bodies: list[bytes], method: str
) -> None:
    await send(wire, method, upstream.url)
    (call,) = upstream.calls
    assert call.head.startswith(f"{method} / HTTP/1.1\r\n")
    assert call.headers["host"] == upstream.url.removeprefix("http://").rstrip("/")
    assert call.headers.get("content-length", "0") == "0"
    assert "content-type" not in call.headers
    assert "transfer-encoding" not in call.headers


async def test_target_and_host_of_a_request(wire: Wire, upstream: Upstream) -> None:
    url = f"{upstream.url}a%2Fb/grüße?name=müller&x=1+2#part"
    await send(wire, "GET", url, headers={"Host": "other.test"})
    (call,) = upstream.calls
    assert call.target == "/a%2Fb/gr%C3%BC%C3%9Fe?name=m%C3%BCller&x=1+2"
    assert call.headers["host"] == "other.test"


async def test_letters_beyond_ascii_are_quoted(wire: Wire, upstream: Upstream) -> None:
    await get(wire, f"{upstream.url}grüße?name=müller")
    assert upstream.calls[0].target == "/gr%C3%BC%C3%9Fe?name=m%C3%BCller"


async def test_credentials_of_a_url_are_sent_by_the_short_way_only(
    wire: Wire, upstream: Upstream
) -> None:
    """`httpx.AsyncClient` makes a header of them, and leaves them in the URL."""
    url = upstream.url.replace("//", "//user:p%40ss@")
    await get(wire, url)
    await send(wire, "GET", url, headers={"Authorization": "Bearer token"})
    await send(wire, "GET", url)
    sent = [call.headers.get("authorization") for call in upstream.calls]
    assert sent == ["Basic dXNlcjpwQHNz", "Bearer token", None]


async def in_a_request(headers: dict[bytes, bytes], call: Callable[[], Awaitable[object]]) -> None:
    """Make a call while a request with these headers is served."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await call()

    async def receive() -> dict[str, object]:
        return {}

    async def ignore(message: object) -> None:
        pass

    await Correlation(app)({"type": "http", "headers": list(headers.items())}, receive, ignore)


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_TRACE = "00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
RECEIVED = {b"x-request-id": b"abc", b"traceparent": TRACE, b"tracestate": b"a=b"}


async def test_request_that_is_served_is_identified(wire: Wire, upstream: Upstream) -> None:
    async def calls() -> None:
        await get(wire, upstream.url)
        await wire.get_body(upstream.url, {"X-Own": "1"}, 100, None)
        await send(wire, "GET", upstream.url)

    await in_a_request(RECEIVED, calls)
    for call in upstream.calls:
        assert call.headers["x-request-id"] == "abc"
        assert call.headers["traceparent"] == TRACE.decode()
        assert call.headers["tracestate"] == "a=b"


async def test_id_and_trace_of_the_caller_are_sent_instead(wire: Wire, upstream: Upstream) -> None:
    own = {"x-request-id": "own", "traceparent": OTHER_TRACE}

    async def calls() -> None:
        await wire.get_body(upstream.url, own, 100, None)
        await send(wire, "GET", upstream.url, headers=own)

    await in_a_request(RECEIVED, calls)
    for call in upstream.calls:
        assert call.head.lower().count("x-request-id: own") == 1
        assert call.head.lower().count("x-request-id") == 1
        assert call.headers["traceparent"] == OTHER_TRACE
        assert "tracestate" not in call.headers


# The body


async def test_json(wire: Wire, upstream: Upstream, bodies: list[bytes]) -> None:
    await send(wire, "POST", upstream.url, json={"sku": "ü"})
    (call,) = upstream.calls
    assert json.loads(bodies[0]) == {"sku": "ü"}
    assert call.headers["content-type"] == "application/json"
    assert call.headers["content-length"] == str(len(bodies[0]))
    assert "transfer-encoding" not in call.headers


async def test_form(wire: Wire, upstream: Upstream, bodies: list[bytes]) -> None:
    await send(wire, "POST", upstream.url, data={"a": "b c"})
    assert bodies == [b"a=b+c"]
    assert upstream.calls[0].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("size", [10, 1_000_000])
async def test_files(wire: Wire, upstream: Upstream, bodies: list[bytes], size: int) -> None:
    file = io.BytesIO(b"x" * size)
    await send(wire, "POST", upstream.url, files={"file": ("a.txt", file)}, data={"b": "c"})
    (call,) = upstream.calls
    assert call.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert call.headers["content-length"] == str(len(bodies[0]))
    assert b'name="file"; filename="a.txt"' in bodies[0]
    assert b"x" * size in bodies[0]


async def parts(*contents: bytes) -> AsyncIterator[bytes]:
    for content in contents:
        await asyncio.sleep(0)
        yield content


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
async def test_streamed_body(
    wire: Wire, upstream: Upstream, bodies: list[bytes], method: str
) -> None:
    await send(wire, method, upstream.url, content=parts(b"one", b"two"))
    await send(wire, method, upstream.url, content=parts())
    assert bodies == [b"onetwo", b""]
    for call in upstream.calls:
        assert call.headers["transfer-encoding"] == "chunked"
        assert call.head.lower().count("transfer-encoding") == 1
        assert "content-length" not in call.headers
    assert upstream.connections == 1


async def test_streamed_body_with_a_length(
    wire: Wire, upstream: Upstream, bodies: list[bytes]
) -> None:
    headers = {"Content-Length": "6"}
    await send(wire, "POST", upstream.url, content=parts(b"one", b"two"), headers=headers)
    assert bodies == [b"onetwo"]
    assert "transfer-encoding" not in upstream.calls[0].headers


@pytest.mark.parametrize("length", ["5", "7"])
async def test_streamed_body_with_a_wrong_length(wire: Wire, length: str) -> None:
    """The connection is not used again: the upstream may wait for the rest of the body."""

    async def answer(call: Call) -> None:
        await body_of(call)

    headers = {"Content-Length": length}
    async with serve_upstream(answer) as upstream:
        with pytest.raises(httpx.LocalProtocolError, match="not as long as its Content-Length"):
            await send(wire, "POST", upstream.url, content=parts(b"one", b"two"), headers=headers)
        await upstream.all_closed.wait()


async def test_error_of_the_body_is_that_of_the_call(wire: Wire) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("The disk is broken.")

    async def answer(call: Call) -> None:
        await body_of(call)

    async with serve_upstream(answer) as upstream:
        with pytest.raises(ValueError, match=r"^The disk is broken\.$"):
            await send(wire, "POST", upstream.url, content=broken())
        await upstream.all_closed.wait()


async def test_body_must_be_async(wire: Wire, upstream: Upstream) -> None:
    with pytest.raises(RuntimeError, match="a sync iterator"):
        await send(wire, "POST", upstream.url, content=iter([b"one"]))


async def test_answer_may_come_before_the_end_of_the_body(wire: Wire) -> None:
    sent = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"one"
        try:
            await asyncio.Event().wait()
        finally:
            sent.set()

    async def refuse(call: Call) -> None:
        await call.reader.readline()
        await call.reply(b"", "413 Content Too Large")
        await call.closed()

    async with serve_upstream(refuse) as upstream:
        response = await send(wire, "POST", upstream.url, content=endless())
        assert response.status_code == 413
        await sent.wait()
        await upstream.all_closed.wait()


async def test_body_that_waits_for_100_continue(wire: Wire) -> None:
    async def answer(call: Call) -> None:
        assert call.headers["expect"] == "100-continue"
        await call.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
        await call.reply(await body_of(call))

    async with serve_upstream(answer) as upstream:
        response = await send(
            wire, "POST", upstream.url, content=b"one", headers={"Expect": "100-continue"}
        )
    assert response.content == b"one"


# What is not valid


@pytest.mark.parametrize("headers", [{"X-Item": "a\r\nX-Other: b"}, {b"X-Item": b"\xe9"}])
async def test_invalid_header(
    wire: Wire, upstream: Upstream, headers: dict[str, str] | dict[bytes, bytes]
) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="it is not valid HTTP") as caught:
        await send(wire, "GET", upstream.url, headers=headers)
    assert caught.value.request.url == upstream.url
    assert not upstream.calls


async def test_invalid_method(wire: Wire, upstream: Upstream) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await send(wire, "GET / HTTP/1.1\r\n", upstream.url)
    assert not upstream.calls


@pytest.mark.parametrize("url", ["http://[::1", "/relative", "ftp://localhost/", "http://"])
async def test_invalid_url(wire: Wire, url: str) -> None:
    with pytest.raises(httpx.LocalProtocolError):
        await get(wire, url)

"""What a caller receives."""

import asyncio
import gzip
from contextlib import aclosing

import httpx
import pytest
from pytest_django import Settings

from onloop.http.exceptions import BodyTooLarge, QuotaExceeded
from onloop.http.quota import BodyQuota
from onloop.http.wires import Wire, open_wire
from onloop.testing import Answer, Call, Upstream, serve_upstream
from tests.http.wires.calls import get, hello, send

# The head


@pytest.mark.parametrize("status", [200, 201, 204, 304, 404, 429, 500, 503, 600])
async def test_any_status_is_an_answer(wire: Wire, upstream: Upstream, status: int) -> None:
    async def answer(call: Call) -> None:
        await call.send(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)

    upstream.answer = answer
    response = await send(wire, "GET", upstream.url)
    assert response.status_code == status
    assert response.http_version == "HTTP/1.1"


async def test_version_of_an_old_server(wire: Wire, upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        await call.send(b"HTTP/1.0 200 OK\r\n\r\nhello")
        call.writer.close()

    upstream.answer = answer
    response = await send(wire, "GET", upstream.url)
    assert (response.http_version, response.text) == ("HTTP/1.0", "hello")


async def test_headers_are_those_of_the_upstream(wire: Wire, upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b"{}", "200 OK", "Set-Cookie: a=b", "Set-Cookie: c=d", "X-Empty: ")

    upstream.answer = answer
    response = await send(wire, "GET", upstream.url)
    assert response.headers.get_list("Set-Cookie") == ["a=b", "c=d"]
    assert response.headers["X-Empty"] == ""
    assert response.headers["Content-Length"] == "2"
    assert len(response.headers.raw) == 4


async def test_header_beyond_ascii(wire: Wire, transport: str, upstream: Upstream) -> None:
    """pyreqwest cannot read it; the others must be there."""

    async def answer(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nX-One: 1\r\nX-Name: \xfc\r\nX-Two: 2\r\n")
        await call.send(b"X-Name: ascii\r\nContent-Length: 0\r\n\r\n")

    upstream.answer = answer
    headers = (await send(wire, "GET", upstream.url)).headers
    assert (headers["X-One"], headers["X-Two"]) == ("1", "2")
    assert headers.get_list("X-Name") == (["ü"] if transport == "aiohttp" else []) + ["ascii"]


async def test_redirect_is_not_followed(wire: Wire, upstream: Upstream) -> None:
    async def redirect(call: Call) -> None:
        await call.reply(b"", "302 Found", "Location: /elsewhere")

    upstream.answer = redirect
    response = await send(wire, "GET", upstream.url)
    assert (response.status_code, response.headers["Location"]) == (302, "/elsewhere")
    assert len(upstream.calls) == 1


async def test_cookies_are_not_kept(wire: Wire, upstream: Upstream) -> None:
    async def set_cookie(call: Call) -> None:
        await call.reply(b"{}", "200 OK", "Set-Cookie: session=secret; Path=/")

    upstream.answer = set_cookie
    await get(wire, upstream.url)
    await send(wire, "GET", upstream.url)
    await get(wire, upstream.url)
    assert not any("cookie" in call.headers for call in upstream.calls)


async def test_head_has_no_body_and_keeps_the_connection(wire: Wire, upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")

    upstream.answer = answer
    for _ in range(2):
        response = await send(wire, "HEAD", upstream.url)
        assert (response.headers["Content-Length"], response.content) == ("1000", b"")
    assert upstream.connections == 1


async def test_a_few_informational_answers_are_skipped(wire: Wire, upstream: Upstream) -> None:
    async def hint(call: Call) -> None:
        await call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 20)
        await hello(call)

    upstream.answer = hint
    for _ in range(2):
        assert await get(wire, upstream.url) == b'"hello"'
        assert (await send(wire, "POST", upstream.url)).content == b'"hello"'
    assert upstream.connections == 1


# The body


async def chunked(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await call.send(b"2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n")


async def until_close(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n\r\n[1,2]")
    call.writer.close()


@pytest.mark.parametrize("answer", [chunked, until_close])
async def test_body_without_a_length(wire: Wire, upstream: Upstream, answer: Answer) -> None:
    upstream.answer = answer
    assert await get(wire, upstream.url) == b"[1,2]"
    assert (await send(wire, "GET", upstream.url)).content == b"[1,2]"


async def test_compressed_body_stays_as_small_as_it_was_sent(
    wire: Wire, upstream: Upstream
) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)

    async def compressed(call: Call) -> None:
        await call.reply(bomb, "200 OK", "Content-Encoding: gzip")

    upstream.answer = compressed
    assert await get(wire, upstream.url, max_bytes=len(bomb)) == bomb
    response = await wire.handle_async_request(httpx.Request("GET", upstream.url))
    async with aclosing(response):
        assert b"".join([part async for part in response.aiter_raw()]) == bomb


async def test_large_body_that_comes_with_its_head(wire: Wire, upstream: Upstream) -> None:
    body = b"x" * 300_000

    async def answer(call: Call) -> None:
        await call.reply(body, "200 OK", "X-Filler: " + "y" * 5_000)

    upstream.answer = answer
    assert await get(wire, upstream.url) == body
    assert (await send(wire, "GET", upstream.url)).content == body


async def test_parts_of_a_stream_arrive_one_by_one(wire: Wire, upstream: Upstream) -> None:
    received = asyncio.Event()

    async def events(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await received.wait()
            received.clear()
            await call.send(b"3\r\none\r\n")
        await call.send(b"0\r\n\r\n")

    upstream.answer = events
    response = await wire.handle_async_request(httpx.Request("GET", upstream.url))
    async with aclosing(response):
        parts = []
        received.set()
        async for part in response.aiter_raw():
            parts.append(part)
            received.set()
    assert parts == [b"one"] * 3


async def test_stream_read_to_its_end_gives_its_connection_back(
    wire: Wire, upstream: Upstream
) -> None:
    upstream.answer = hello
    for _ in range(3):
        response = await wire.handle_async_request(httpx.Request("GET", upstream.url))
        async with aclosing(response):
            assert b"".join([part async for part in response.aiter_raw()]) == b'"hello"'
        await response.aclose()
    assert upstream.connections == upstream.open_connections == 1


@pytest.mark.parametrize("parts", [0, 1])
async def test_stream_closed_before_its_end_closes_its_connection(
    wire: Wire, upstream: Upstream, parts: int
) -> None:
    async def answer(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
        await call.closed()

    upstream.answer = answer
    response = await wire.handle_async_request(httpx.Request("GET", upstream.url))
    async with aclosing(response):
        stream = response.aiter_raw()
        for _ in range(parts):
            assert await anext(stream) == b"[1,"
    await upstream.all_closed.wait()
    upstream.answer = hello
    assert await get(wire, upstream.url) == b'"hello"'


async def cut_off(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.writer.close()


async def test_error_while_a_stream_is_read(wire: Wire, upstream: Upstream) -> None:
    upstream.answer = cut_off
    response = await wire.handle_async_request(httpx.Request("GET", upstream.url))
    async with aclosing(response):
        stream = response.aiter_raw()
        assert await anext(stream) == b"[1,"
        with pytest.raises(httpx.RemoteProtocolError, match="cut off or is not valid") as caught:
            await anext(stream)
    assert caught.value.request.url == upstream.url
    assert caught.value.__cause__


# The short way


@pytest.mark.parametrize("status", [404, 500, 600])
async def test_unsuccessful_status(wire: Wire, upstream: Upstream, status: int) -> None:
    async def fail(call: Call) -> None:
        await call.reply(b"{}", f"{status} What", "Retry-After: 7")

    upstream.answer = fail
    message = rf"^The server answered with status {status}\.$"
    with pytest.raises(httpx.HTTPStatusError, match=message) as caught:
        await get(wire, upstream.url)
    assert caught.value.response.status_code == status
    assert caught.value.response.headers["Retry-After"] == "7"
    assert caught.value.request.url == upstream.url


async def test_redirect_is_an_error(wire: Wire, upstream: Upstream) -> None:
    async def redirect(call: Call) -> None:
        await call.reply(b"", "302 Found", "Location: /")

    upstream.answer = redirect
    with pytest.raises(httpx.HTTPStatusError, match=r"302 \(a redirect, which is not followed\)"):
        await get(wire, upstream.url)
    assert len(upstream.calls) == 1


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
async def test_endless_body_is_given_up_at_the_bound(wire: Wire, head: bytes) -> None:
    chunk = b"x" * 65_536 if b"Length" in head else b"10000\r\n" + b"x" * 65_536 + b"\r\n"

    async def endless(call: Call) -> None:
        await call.send(b"HTTP/1.1 200 OK\r\n" + head)
        while True:
            await call.send(chunk)

    async with serve_upstream(endless) as upstream:
        with pytest.raises(BodyTooLarge, match=r"larger than 100000 bytes\.$"):
            await get(wire, upstream.url, max_bytes=100_000)
        await upstream.all_closed.wait()


async def test_body_of_exactly_the_bound_is_fine(wire: Wire, upstream: Upstream) -> None:
    upstream.answer = hello
    assert await get(wire, upstream.url, max_bytes=7) == b'"hello"'
    with pytest.raises(BodyTooLarge, match=r"larger than 6 bytes\.$"):
        await get(wire, upstream.url, max_bytes=6)


async def test_bodies_of_calls_share_a_quota_and_one_that_is_cut_off_uses_none(
    wire: Wire, upstream: Upstream
) -> None:
    quota = BodyQuota(15)
    upstream.answer = hello
    assert await get(wire, upstream.url, quota=quota) == b'"hello"'
    with pytest.raises(BodyTooLarge):
        await get(wire, upstream.url, max_bytes=1, quota=quota)
    upstream.answer = cut_off
    with pytest.raises(httpx.RemoteProtocolError):
        await get(wire, upstream.url, quota=quota)
    upstream.answer = hello
    assert await get(wire, upstream.url, quota=quota) == b'"hello"'
    with pytest.raises(QuotaExceeded, match="larger than 15 bytes together"):
        await get(wire, upstream.url, quota=quota)


async def test_pyreqwest_ends_a_call_that_nobody_else_ends(
    settings: Settings, upstream: Upstream
) -> None:
    """It goes on with a call that is cancelled, so it has a limit of its own."""
    settings.HTTP_TRANSPORT = "pyreqwest"
    upstream.answer = Call.closed
    wire = open_wire()
    with pytest.raises(httpx.ReadTimeout, match=r"^The server did not answer in time\.$"):
        await wire.get_body(upstream.url, {}, 100, None, 0.05)
    await wire.aclose()

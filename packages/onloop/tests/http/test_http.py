import asyncio
import gzip

import pytest

from onloop.http import (
    BadResponseError,
    CallTimeoutError,
    Client,
    ConnectError,
    DNSError,
    HTTPClientError,
    PoolTimeoutError,
    http_client,
    shared_http_client,
)
from onloop.testing import Answer, Call, barrier, serve_upstream
from tests.http.calls import closed_port, get, hello

pytestmark = pytest.mark.usefixtures("transport")


async def hang(call: Call) -> None:
    await call.closed()


# The call


async def test_body_and_what_was_sent() -> None:
    async with serve_upstream(hello) as upstream:
        assert await get(f"{upstream.url}path?sig=a%2Fb%20c+d&task_id=1") == b'"hello"'
    (call,) = upstream.calls
    assert call.head.startswith("GET /path?sig=a%2Fb%20c+d&task_id=1 HTTP/1.1\r\n")
    assert call.headers["accept"] == "application/json"
    assert call.headers["accept-encoding"] == "identity"


async def test_letters_beyond_ascii_are_quoted() -> None:
    async with serve_upstream(hello) as upstream:
        await get(f"{upstream.url}grüße?name=müller")
    assert upstream.calls[0].target == "/gr%C3%BC%C3%9Fe?name=m%C3%BCller"


async def test_cookies_are_not_kept() -> None:
    async def set_cookie(call: Call) -> None:
        await call.reply(b"{}", "200 OK", "Set-Cookie: session=secret; Path=/")

    async with serve_upstream(set_cookie) as upstream, shared_http_client():
        await get(upstream.url)
        await get(upstream.url)
    assert "cookie" not in upstream.calls[1].headers


async def chunked(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await call.send(b"2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n")


async def until_close(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n\r\n[1,2]")
    call.writer.close()


@pytest.mark.parametrize("answer", [chunked, until_close])
async def test_body_without_a_length(answer: Answer) -> None:
    async with serve_upstream(answer) as upstream:
        assert await get(upstream.url) == b"[1,2]"


async def test_compressed_body_stays_as_small_as_it_was_sent() -> None:
    bomb = gzip.compress(b"0" * 10_000_000)

    async def compressed(call: Call) -> None:
        await call.reply(bomb, "200 OK", "Content-Encoding: gzip")

    async with serve_upstream(compressed) as upstream:
        assert await get(upstream.url, max_bytes=len(bomb)) == bomb


# The errors


@pytest.mark.parametrize("host", ["nowhere.invalid", f"{'a' * 64}.invalid"])
async def test_unknown_name(host: str) -> None:
    with pytest.raises(DNSError, match=r"^The name of the server could not be resolved\.$"):
        await get(f"http://{host}/?token=secret")


async def test_refused_connection() -> None:
    with pytest.raises(ConnectError, match=r"^No connection to the server could be made\.$"):
        await get(f"http://127.0.0.1:{closed_port()}/")


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error", "600 What"])
async def test_unsuccessful_status(status: str) -> None:
    async def fail(call: Call) -> None:
        await call.reply(b"{}", status)

    async with serve_upstream(fail) as upstream:
        with pytest.raises(BadResponseError, match=rf"with status {status[:3]}\.$") as caught:
            await get(upstream.url)
    assert caught.value.status == int(status[:3])


@pytest.mark.parametrize("location", ["/elsewhere?token=secret", "/"], ids=["away", "loop"])
async def test_redirect_is_not_followed(location: str) -> None:
    async def redirect(call: Call) -> None:
        await call.reply(b"", "302 Found", f"Location: {location}")

    async with serve_upstream(redirect) as upstream:
        with pytest.raises(BadResponseError, match=r"with status 302 \(a redirect, which is not"):
            await get(upstream.url)
    assert len(upstream.calls) == 1


async def truncated(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.writer.close()


async def truncated_chunks(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,")
    call.writer.close()


async def reset_in_the_body(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.reset()


async def reset_at_once(call: Call) -> None:
    call.reset()


async def close_at_once(call: Call) -> None:
    call.writer.close()


async def not_http(call: Call) -> None:
    await call.send(b"220 mail.example.com ESMTP\r\n\r\n")


async def bad_chunk(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnot a number\r\n")


@pytest.mark.parametrize(
    "answer",
    [
        truncated,
        truncated_chunks,
        reset_in_the_body,
        reset_at_once,
        close_at_once,
        not_http,
        bad_chunk,
    ],
)
async def test_broken_answer(answer: Answer) -> None:
    async with serve_upstream(answer) as upstream:
        with pytest.raises(BadResponseError, match="cut off or is not valid HTTP") as caught:
            await get(upstream.url)
    assert caught.value.status is None


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000000000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n"]
)
async def test_endless_body_is_given_up_at_the_bound(head: bytes) -> None:
    chunk = b"x" * 65_536 if b"Length" in head else b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    gone = asyncio.Event()

    async def endless(call: Call) -> None:
        try:
            await call.send(b"HTTP/1.1 200 OK\r\n" + head)
            while True:
                await call.send(chunk)
        finally:
            gone.set()

    async with serve_upstream(endless) as upstream, shared_http_client():
        with pytest.raises(BadResponseError, match=r"larger than 100000 bytes\.$"):
            await get(upstream.url, max_bytes=100_000)
        await gone.wait()


async def test_body_of_exactly_the_bound_is_fine() -> None:
    async with serve_upstream(hello) as upstream:
        assert await get(upstream.url, max_bytes=7) == b'"hello"'
        with pytest.raises(BadResponseError, match=r"larger than 6 bytes\.$"):
            await get(upstream.url, max_bytes=6)


async def drip(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while not call.reader.at_eof():
        await call.send(b" ")
        await asyncio.sleep(0.001)


async def drip_in_the_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    while not call.reader.at_eof():
        await call.send(b"x")
        await asyncio.sleep(0.001)


async def hang_in_the_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n")
    await call.closed()


@pytest.mark.parametrize("answer", [hang, hang_in_the_head, drip_in_the_head, drip])
async def test_timeout_is_total_and_closes_the_connection(answer: Answer) -> None:
    async with serve_upstream(answer) as upstream, shared_http_client():
        with pytest.raises(CallTimeoutError, match=r"^The server did not answer within 0\.1 s\.$"):
            await get(upstream.url, timeout=0.1)
        await upstream.all_closed.wait()


async def test_cancelling_the_call_closes_the_connection() -> None:
    asked = asyncio.Event()

    async def ask(call: Call) -> None:
        asked.set()
        await call.closed()

    async with serve_upstream(ask) as upstream, shared_http_client():
        call = asyncio.create_task(get(upstream.url))
        await asked.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await upstream.all_closed.wait()


# The bound on calls at a time


async def test_wait_for_a_connection_is_not_the_servers_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("onloop.http.limits.MAX_CONNECTIONS", 1)
    asked, answered = asyncio.Event(), asyncio.Event()

    async def answer(call: Call) -> None:
        asked.set()
        await answered.wait()
        await hello(call)

    async with serve_upstream(answer) as upstream, shared_http_client():
        first = asyncio.create_task(get(upstream.url))
        await asked.wait()
        with pytest.raises(PoolTimeoutError, match=r"^No connection was free within 0\.05 s\.$"):
            await get(upstream.url, timeout=0.05)
        waiting = asyncio.create_task(get(upstream.url))
        answered.set()
        assert [await first, await waiting] == [b'"hello"'] * 2
    assert len(upstream.calls) == 2
    assert upstream.most_in_flight == 1


async def test_cancelled_calls_take_no_connection_with_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("onloop.http.limits.MAX_CONNECTIONS", 2)
    in_flight = asyncio.Semaphore(0)

    async def answer(call: Call) -> None:
        in_flight.release()
        await (call.closed() if call.target == "/cancelled" else both(call))

    both = barrier(2, hello)
    async with serve_upstream(answer) as upstream, shared_http_client():
        for turns in range(20):
            calls = [asyncio.create_task(get(f"{upstream.url}cancelled")) for _ in range(4)]
            await in_flight.acquire()
            for call in calls:
                call.cancel()
                for _ in range(turns):  # A connection is being handed over when the next is hit.
                    await asyncio.sleep(0)
            await asyncio.wait(calls)
        calls = [asyncio.create_task(get(upstream.url, timeout=10)) for _ in range(2)]
        assert [await call for call in calls] == [b'"hello"'] * 2


def test_every_error_has_a_type_of_its_own() -> None:
    errors = HTTPClientError.__subclasses__()
    assert len({error.type for error in errors}) == len(errors)


# The client of the event loop


async def test_shared_client_keeps_its_connection() -> None:
    async with serve_upstream(hello) as upstream, shared_http_client():
        async with http_client() as first:
            await first.get(upstream.url, timeout=30, max_bytes=100)
        async with http_client() as second:
            await second.get(upstream.url, timeout=30, max_bytes=100)
        assert first is second
        assert upstream.connections == 1
        assert upstream.open_connections == 1


async def test_without_a_lifespan_each_block_has_a_client_and_closes_it() -> None:
    async with serve_upstream(hello) as upstream:
        async with http_client() as first:
            await first.get(upstream.url, timeout=30, max_bytes=100)
        await upstream.all_closed.wait()
        async with http_client() as second:
            await second.get(upstream.url, timeout=30, max_bytes=100)
        await upstream.all_closed.wait()
    assert first is not second
    assert upstream.connections == 2


async def test_a_client_belongs_to_one_loop() -> None:
    async def client_of_another_loop() -> Client:
        async with http_client() as client:
            return client

    async with shared_http_client(), http_client() as shared:
        other = await asyncio.to_thread(lambda: asyncio.run(client_of_another_loop()))
    assert other is not shared

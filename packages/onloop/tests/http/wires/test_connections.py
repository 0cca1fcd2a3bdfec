"""Connections: how they fail, are kept, and end with their call."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from typing import Any

import httpx
import pytest

from onloop.http.exceptions import DNSError, describe
from onloop.http.wires import Wire, open_wire
from onloop.http.wires.pyreqwest import _unless_cancelled
from onloop.testing import Answer, Call, Upstream, serve_upstream
from tests.http.wires.calls import body_of, closed_port, get, hello, send

# No connection


@pytest.mark.parametrize("host", ["nowhere.invalid", f"{'a' * 64}.invalid"])
async def test_unknown_name(wire: Wire, host: str) -> None:
    for call in (get(wire, f"http://{host}/?token=secret"), send(wire, "GET", f"http://{host}/")):
        with pytest.raises(DNSError, match=r"^The name of the server could not be resolved\.$"):
            await call


async def test_invalid_name(wire: Wire) -> None:
    with pytest.raises(DNSError):
        await get(wire, "http://xn--a.invalid/")


async def test_refused_connection(wire: Wire) -> None:
    url = f"http://127.0.0.1:{closed_port()}/"
    with pytest.raises(httpx.ConnectError, match=r"^No connection to the server could be made\.$"):
        await get(wire, url)
    with pytest.raises(httpx.ConnectError) as caught:
        await send(wire, "POST", f"{url}?token=secret", json={})
    assert caught.value.request.url == f"{url}?token=secret"
    assert "refused" in describe(caught.value).lower()
    assert "secret" not in describe(caught.value)


async def reset(call: Call) -> None:
    call.reset()


async def close(call: Call) -> None:
    call.writer.close()


async def close_in_the_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nX-")
    call.writer.close()


@pytest.mark.parametrize("answer", [reset, close, close_in_the_head])
async def test_broken_answer(wire: Wire, upstream: Upstream, answer: Answer) -> None:
    upstream.answer = answer
    for call in (get(wire, upstream.url), send(wire, "POST", upstream.url, content=b"x" * 99_999)):
        with pytest.raises(
            (httpx.RemoteProtocolError, httpx.ReadError), match="cut off or is not valid HTTP"
        ) as caught:
            await call
        assert caught.value.__cause__


# Connections that are kept


async def test_connection_is_kept_and_serves_both_ways(wire: Wire, upstream: Upstream) -> None:
    for _ in range(3):
        await get(wire, upstream.url)
        await send(wire, "GET", upstream.url)
    assert upstream.connections == upstream.open_connections == 1


async def test_connection_survives_an_error_status(wire: Wire, upstream: Upstream) -> None:
    async def fail(call: Call) -> None:
        await call.reply(b"", "503 Service Unavailable")

    upstream.answer = fail
    for _ in range(3):
        with pytest.raises(httpx.HTTPStatusError):
            await get(wire, upstream.url)
        assert (await send(wire, "POST", upstream.url)).status_code == 503
    assert upstream.connections == 1


async def test_idle_connection_is_closed_by_this_side_first(
    transport: str, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """uvicorn closes one after 5 s; a request that is sent at that moment is lost."""
    monkeypatch.setattr(f"onloop.http.wires.{transport}.KEEPALIVE_SECONDS", 0.05)
    wire = open_wire()
    await get(wire, upstream.url)
    await upstream.all_closed.wait()
    await wire.aclose()


async def test_closing_the_wire_closes_the_connections(wire: Wire, upstream: Upstream) -> None:
    await get(wire, upstream.url)
    await wire.aclose()
    await upstream.all_closed.wait()


# Connections that the upstream has closed


@pytest.fixture
async def stale(upstream: Upstream) -> Upstream:
    """An upstream that answers the first call of each connection, and closes it at the second."""
    used: set[asyncio.StreamWriter] = set()

    async def answer(call: Call) -> None:
        await body_of(call)
        if call.writer in used:
            call.writer.close()
        else:
            used.add(call.writer)
            await hello(call)

    upstream.answer = answer
    return upstream


@pytest.mark.parametrize("streamed", [False, True])
async def test_post_is_never_repeated(wire: Wire, stale: Upstream, streamed: bool) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"

    await get(wire, stale.url)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await send(wire, "POST", stale.url, content=body() if streamed else b"one")
    assert [call.head.split()[0] for call in stale.calls] == ["GET", "POST"]


async def test_get_is_repeated_at_most_once(wire: Wire, transport: str, stale: Upstream) -> None:
    await get(wire, stale.url)
    if transport == "aiohttp":
        assert await get(wire, stale.url) == b'"hello"'
        assert len(stale.calls) == 3
    else:
        with pytest.raises(httpx.RemoteProtocolError):
            await get(wire, stale.url)
        assert len(stale.calls) == 2


async def test_streamed_put_is_not_repeated_once_it_has_begun(wire: Wire, stale: Upstream) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"one"

    await get(wire, stale.url)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await send(wire, "PUT", stale.url, content=body())
    assert len(stale.calls) == 2


async def test_post_is_sent_once_while_connections_close(wire: Wire, upstream: Upstream) -> None:
    """The upstream closes its connections whenever it likes; no request may arrive twice."""

    async def answer(call: Call) -> None:
        await body_of(call)
        await hello(call)
        call.writer.close()

    upstream.answer = answer
    for number in range(50):
        with suppress(httpx.RemoteProtocolError, httpx.ReadError):
            await send(wire, "POST", f"{upstream.url}{number}", content=b"x")
    targets = [call.target for call in upstream.calls]
    assert len(targets) == len(set(targets))


# Cancellation

randomly = random.Random()  # noqa: S311


@pytest.fixture
def _no_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onloop.http.wires.pyreqwest.SLACK", 0.0)


async def streamed(
    wire: Wire, method: str, url: str, seconds: float, **options: Any
) -> httpx.Response:
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    return await send(wire, method, url, extensions={"timeout": timeout}, **options)


@pytest.mark.usefixtures("_no_slack")
@pytest.mark.parametrize("way", ["short", "streamed"])
@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"])
async def test_cancelling_the_call_closes_the_connection(
    wire: Wire, upstream: Upstream, way: str, head: bytes
) -> None:
    asked = asyncio.Event()

    async def ask(call: Call) -> None:
        await call.send(head)
        asked.set()
        await call.closed()

    upstream.answer = ask
    if way == "short":
        call: asyncio.Task[object] = asyncio.create_task(
            wire.get_body(upstream.url, {}, 100, None, 0.1)
        )
    else:
        call = asyncio.create_task(streamed(wire, "GET", upstream.url, 0.1))
    await asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await upstream.all_closed.wait()


async def test_cancelling_the_call_ends_its_body(wire: Wire, upstream: Upstream) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            asked.set()
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def wait(call: Call) -> None:
        await call.closed()

    upstream.answer = wait
    call = asyncio.create_task(send(wire, "POST", upstream.url, content=body()))
    await asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await ended.wait()
    await upstream.all_closed.wait()


def some_call(wire: Wire, url: str) -> Coroutine[Any, Any, object]:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            await asyncio.sleep(0)
            yield b"one"

    match randomly.randrange(4):
        case 0:
            return wire.get_body(url, {}, 100, None, 0.1)
        case 1:
            return streamed(wire, "GET", url, 0.1)
        case 2:
            return streamed(wire, "POST", url, 0.1, json={})
        case _:
            return streamed(wire, "PUT", url, 0.1, content=body())


@pytest.mark.usefixtures("_no_slack")
@pytest.mark.parametrize(("rounds", "tls"), [(400, False), (50, True)])
async def test_random_cancellation_leaves_nothing_behind(
    wire: Wire, rounds: int, tls: bool, server_tls: ssl.SSLContext
) -> None:
    before = asyncio.all_tasks()
    randomly.seed(rounds)
    in_flight = 0
    none_in_flight = asyncio.Event()

    async def answer(call: Call) -> None:
        nonlocal in_flight
        in_flight += 1
        none_in_flight.clear()
        try:
            await body_of(call)
            for _ in range(randomly.randrange(20)):
                await asyncio.sleep(0)
            if call.target == "/half":
                await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            if call.target != "/hello":
                await call.closed()
            await hello(call)
        finally:
            in_flight -= 1
            if not in_flight:
                none_in_flight.set()

    async with serve_upstream(answer, server_tls if tls else None) as upstream:
        for _ in range(rounds):
            url = upstream.url + randomly.choice(["hello", "half", "silence"])
            call = asyncio.create_task(some_call(wire, url))
            await asyncio.sleep(randomly.uniform(0, 0.003))
            was_running = call.cancel()
            await asyncio.wait([call])
            assert call.cancelled() == was_running
        async with asyncio.timeout(30):
            await none_in_flight.wait()
            calls = [get(wire, f"{upstream.url}hello") for _ in range(20)]
            assert await asyncio.gather(*calls) == [b'"hello"'] * 20
            await wire.aclose()
            await upstream.all_closed.wait()
            left = asyncio.all_tasks() - before
            await asyncio.gather(*left, return_exceptions=True)


async def test_closing_the_wire_ends_the_calls_in_flight(wire: Wire, upstream: Upstream) -> None:
    asked = asyncio.Event()

    async def ask(call: Call) -> None:
        asked.set()
        await call.closed()

    upstream.answer = ask
    call = asyncio.create_task(get(wire, upstream.url))
    await asked.wait()
    await wire.aclose()
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await call


async def test_cancellation_that_meets_the_result_is_not_lost() -> None:
    """pyreqwest returns the result in some such races; its own coroutines cannot be timed."""

    async def result() -> str:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "result"

    call = asyncio.create_task(_unless_cancelled(result()))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

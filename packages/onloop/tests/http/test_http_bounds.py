"""What an upstream may send before, between and after its answers."""

import asyncio

import pytest
from pytest_django import Settings

from onloop.http import (
    BadResponseError,
    BodyQuota,
    QuotaExceededError,
    http_client,
    shared_http_client,
)
from onloop.http.transports import MAX_HEAD
from onloop.testing import Answer, Call, serve_upstream
from tests.http.calls import get, hello


@pytest.fixture
def aiohttp_(settings: Settings) -> None:
    settings.HTTP_TRANSPORT = "aiohttp"


@pytest.mark.usefixtures("transport")
async def test_a_few_informational_answers_are_skipped() -> None:
    async def hint(call: Call) -> None:
        await call.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" * 20)
        await hello(call)

    async with serve_upstream(hint) as upstream, shared_http_client():
        for _ in range(2):
            assert await get(upstream.url) == b'"hello"'
    assert upstream.connections == 1


async def endless(call: Call, data: bytes) -> None:
    while not call.writer.is_closing():
        await call.send(data * 1_000)


async def endless_informational_answers(call: Call) -> None:
    await endless(call, b"HTTP/1.1 100 \r\n\r\n")


async def informational_answers_and_an_answer(call: Call) -> None:
    await call.send(b"HTTP/1.1 100 \r\n\r\n" * (MAX_HEAD // 10))
    await hello(call)


async def large_headers(call: Call) -> None:
    await call.reply(b"{}", "200 OK", *(f"X-{number}: {'y' * 1_500}" for number in range(110)))


@pytest.mark.usefixtures("aiohttp_")
@pytest.mark.parametrize(
    "answer", [endless_informational_answers, informational_answers_and_an_answer, large_headers]
)
async def test_head_is_bounded(answer: Answer) -> None:
    async with serve_upstream(answer) as upstream, shared_http_client():
        with pytest.raises(BadResponseError, match="cut off or is not valid HTTP"):
            await get(upstream.url, timeout=5.0)
        await upstream.all_closed.wait()


@pytest.mark.usefixtures("transport")
async def test_body_that_comes_with_its_head_is_no_part_of_it() -> None:
    body = b"x" * 3 * MAX_HEAD

    async def answer(call: Call) -> None:
        await call.reply(body, "200 OK", "X-Filler: " + "y" * 5_000)

    async with serve_upstream(answer) as upstream:
        assert await get(upstream.url) == body


@pytest.mark.usefixtures("aiohttp_")
@pytest.mark.parametrize("status", [b"100 Continue", b"200 OK"])
async def test_answers_to_no_request_end_the_connection(
    monkeypatch: pytest.MonkeyPatch, status: bytes
) -> None:
    monkeypatch.setattr("onloop.http.transports.KEEPALIVE_SECONDS", 3600.0)
    received = asyncio.Event()

    async def answer(call: Call) -> None:
        await hello(call)
        await received.wait()
        await endless(call, b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)

    async with serve_upstream(answer) as upstream, shared_http_client():
        assert await get(upstream.url) == b'"hello"'
        received.set()
        async with asyncio.timeout(10):
            await upstream.all_closed.wait()


@pytest.mark.usefixtures("transport")
async def test_loop_goes_on_between_the_pieces_of_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of the tiny chunks takes some microseconds, and a read holds forty thousand of them."""
    monkeypatch.setattr("onloop.http.transports.READ_BUFFER", 1_024)
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def tiny_chunks(call: Call) -> None:
        chunks = b"1\r\nx\r\n" * 5_000
        await call.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
        await call.send(b"0\r\n\r\n")

    async with serve_upstream(tiny_chunks) as upstream, shared_http_client():
        counting = asyncio.create_task(count_turns())
        assert await get(upstream.url) == b"x" * 5_000
        counting.cancel()
    assert turns > 50


@pytest.mark.usefixtures("transport")
async def test_bodies_of_calls_share_a_quota_and_one_that_is_cut_off_uses_none() -> None:
    quota = BodyQuota(15)

    async with serve_upstream(hello) as upstream, http_client() as client:

        async def call(max_bytes: int) -> bytes:
            return await client.get(upstream.url, timeout=5, max_bytes=max_bytes, quota=quota)

        assert await call(max_bytes=100) == b'"hello"'
        with pytest.raises(BadResponseError):
            await call(max_bytes=1)
        assert await call(max_bytes=100) == b'"hello"'
        with pytest.raises(QuotaExceededError, match="larger than 15 bytes together"):
            await call(max_bytes=100)

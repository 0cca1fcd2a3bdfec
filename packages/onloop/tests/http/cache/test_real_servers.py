"""Calls through a cache to a real server, in one process and in several."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from onloop.http.cache import Cache, CacheTransport
from onloop.testing import Call, Upstream, serve_process
from tests.services.polling import eventually

from .buffered import BufferedTransport
from .conftest import Clock

APP = "tests.cached_views:application"


@pytest.fixture
async def client(clock: Clock) -> AsyncIterator[httpx.AsyncClient]:
    cache = Cache(fresh=5, stale_if_error=60)
    transport = CacheTransport(BufferedTransport(), "origin", cache, clock=clock)
    async with httpx.AsyncClient(transport=transport) as client:
        yield client


async def test_hit_makes_no_request_and_no_hop(
    client: httpx.AsyncClient, upstream: Upstream, hops: list[str]
) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b'{"a": 1}', "200 OK", "Content-Type: application/json", "Vary: Accept")

    upstream.answer = answer
    responses = [await client.get(upstream.url) for _ in range(10)]
    assert [response.json() for response in responses] == [{"a": 1}] * 10
    assert [response.extensions["cache"] for response in responses] == ["miss"] + ["hit"] * 9
    assert len(upstream.calls) == 1
    assert not hops


async def test_validation_with_304(
    client: httpx.AsyncClient, upstream: Upstream, clock: Clock
) -> None:
    async def answer(call: Call) -> None:
        if call.headers.get("if-none-match") == '"a"':
            await call.send(b'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n')
        else:
            await call.reply(b"one", "200 OK", 'ETag: "a"')

    upstream.answer = answer
    outcomes = []
    for _ in range(3):
        response = await client.get(upstream.url)
        outcomes.append((response.text, response.extensions["cache"]))
        clock.now += 4
    assert outcomes == [("one", "miss"), ("one", "hit"), ("one", "revalidated")]


async def test_server_that_fails_is_replaced_by_a_stale_answer(
    client: httpx.AsyncClient, upstream: Upstream, clock: Clock
) -> None:
    async def hello(call: Call) -> None:
        await call.reply(b"hello")

    async def sorry(call: Call) -> None:
        await call.reply(b"sorry", "503 Service Unavailable")

    async def reset(call: Call) -> None:
        call.reset()

    upstream.answer = hello
    await client.get(upstream.url)
    clock.now += 6
    for failure in (sorry, reset):
        upstream.answer = failure
        response = await client.get(upstream.url)
        assert (response.text, response.extensions["cache"]) == ("hello", "stale")
    assert len(upstream.calls) == 3


async def test_stream_is_read_from_the_server(
    client: httpx.AsyncClient, upstream: Upstream
) -> None:
    await client.get(upstream.url)
    request = client.build_request("GET", upstream.url, extensions={"stream": True})
    response = await client.send(request, stream=True)
    assert b"".join([chunk async for chunk in response.aiter_raw()]) == b"{}"
    assert len(upstream.calls) == 2


async def test_processes_share_answers_and_one_of_them_revalidates(
    upstream: Upstream, redis_url: str
) -> None:
    release = asyncio.Event()

    async def answer(call: Call) -> None:
        if len(upstream.calls) == 1:
            header = "Cache-Control: max-age=0, stale-while-revalidate=1000"
            await call.reply(b"one", "200 OK", header)
        else:
            await release.wait()
            await call.reply(b"two", "200 OK", "Cache-Control: max-age=1000")

    upstream.answer = answer
    with (
        serve_process(app=APP, REDIS_URL=redis_url) as (_, one),
        serve_process(app=APP, REDIS_URL=redis_url) as (_, other),
    ):
        async with httpx.AsyncClient(timeout=50, params={"url": upstream.url}) as client:

            async def call_both(count: int) -> set[str]:
                urls = [f"{url}/cached/" for url in (one, other)] * count
                return {r.text for r in await asyncio.gather(*map(client.get, urls))}

            async def is_new() -> bool:
                return await call_both(1) == {"hit two"}

            assert (await client.get(f"{one}/cached/")).text == "miss one"
            assert await call_both(20) == {"stale one"}
            await eventually(lambda: calls_of(upstream, 2))
            assert await call_both(20) == {"stale one"}
            assert len(upstream.calls) == 2
            release.set()
            await eventually(is_new)
    assert len(upstream.calls) == 2


async def calls_of(upstream: Upstream, count: int) -> bool:
    return len(upstream.calls) == count


async def test_server_stops_with_a_revalidation_in_flight(upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        if len(upstream.calls) > 1:
            await call.closed()
            return
        await call.reply(b"one", "200 OK", "Cache-Control: max-age=0, stale-while-revalidate=1000")

    upstream.answer = answer
    with serve_process(app=APP) as (server, url):
        async with httpx.AsyncClient(timeout=50, params={"url": upstream.url}) as client:
            await client.get(f"{url}/cached/")
            assert (await client.get(f"{url}/cached/")).text == "stale one"
            await eventually(lambda: calls_of(upstream, 2))
        server.terminate()
        _, log = await asyncio.to_thread(server.communicate)
    assert "Traceback" not in log
    assert "was destroyed" not in log

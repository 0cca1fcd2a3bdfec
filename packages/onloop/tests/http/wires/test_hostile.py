"""Hostile upstreams: each call ends cleanly, and holds up no other one."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import httpx
import pytest

from onloop.http.wires import Wire, open_wire
from onloop.testing import Call, serve_upstream
from tests.http.wires.calls import get, hello
from tests.http.wires.hostile import CHUNKED, KINDS, OK, sending

type Way = Callable[[Wire, str, float], Awaitable[None]]
MAX_BYTES = 1_000_000


@pytest.fixture(autouse=True)
def _no_slack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onloop.http.wires.pyreqwest.SLACK", 0.0)


async def short(wire: Wire, url: str, seconds: float) -> None:
    await wire.get_body(url, {}, MAX_BYTES, None, seconds)


async def streamed(wire: Wire, url: str, seconds: float) -> None:
    timeout = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
    request = httpx.Request("GET", url, extensions={"timeout": timeout})
    response = await wire.handle_async_request(request)
    async with aclosing(response):
        length = 0
        async for part in response.stream:  # type: ignore[union-attr]
            length += len(part)
            if length > MAX_BYTES:
                raise httpx.TransportError("Larger than allowed.")


async def outcome(call: Way, wire: Wire, url: str, seconds: float) -> str:
    try:
        async with asyncio.timeout(seconds):
            await call(wire, url, seconds)
    except (TimeoutError, httpx.TimeoutException):  # The wire has no slack here.
        return "time is up"
    except httpx.HTTPError:
        return "error"
    return "answer"


@pytest.mark.parametrize("call", [short, streamed])
@pytest.mark.parametrize("kind", KINDS)
async def test_hostile_upstream(wire: Wire, kind: str, call: Way) -> None:
    seconds = 0.1 if "time is up" in KINDS[kind].outcomes else 30.0
    async with serve_upstream(KINDS[kind].answer) as hostile, serve_upstream(hello) as friendly:
        attacked = asyncio.create_task(outcome(call, wire, hostile.url, seconds))
        for _ in range(3):
            assert await get(wire, friendly.url) == b'"hello"'
        assert await attacked in KINDS[kind].outcomes
        await wire.aclose()
        await hostile.all_closed.wait()


async def test_body_that_nobody_reads_stops_arriving(wire: Wire) -> None:
    """No wire reads on without a bound; then the upstream can send no more."""
    stopped = asyncio.Event()

    async def answer(call: Call) -> None:
        await call.send(OK + b"\r\n")
        try:
            while True:
                async with asyncio.timeout(0.2):
                    await call.send(b"x" * 65_536)
        except TimeoutError:
            stopped.set()

    async with serve_upstream(answer) as upstream:
        response = await wire.handle_async_request(httpx.Request("GET", upstream.url))
        async with aclosing(response):
            await anext(aiter(response.stream))  # type: ignore[arg-type]
            await stopped.wait()


@pytest.mark.parametrize("call", [short, streamed])
async def test_tasks_go_on_between_the_parts_of_a_body(
    transport: str, monkeypatch: pytest.MonkeyPatch, call: Way
) -> None:
    """Each of the tiny chunks takes some microseconds, and a read holds thousands of them."""
    monkeypatch.setattr(f"onloop.http.wires.{transport}.READ_BUFFER", 256)
    wire = open_wire()
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    tiny_chunks = sending(CHUNKED + b"1\r\nx\r\n" * 5_000 + b"0\r\n\r\n")
    async with serve_upstream(tiny_chunks) as upstream:
        counting = asyncio.create_task(count_turns())
        assert await outcome(call, wire, upstream.url, 30.0) == "answer"
        counting.cancel()
    await wire.aclose()
    assert turns > 10

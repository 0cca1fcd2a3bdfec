"""Start-up, shutdown, and what hears of them."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from onloop.asgi.lifespan import Lifespan, Resource, add_resource, stopping
from onloop.asgi.waiting import until_stopping


class Server:
    """The server's side of the lifespan protocol."""

    def __init__(self, lifespan: Lifespan) -> None:
        self.inbox: asyncio.Queue[Any] = asyncio.Queue()
        self.outbox: asyncio.Queue[Any] = asyncio.Queue()
        scope: Any = {"type": "lifespan"}
        self.task = asyncio.ensure_future(lifespan(scope, self.inbox.get, self.outbox.put))

    async def ask(self, message: str) -> Any:
        await self.inbox.put({"type": message})
        return await self.outbox.get()

    async def start(self) -> Any:
        return await self.ask("lifespan.startup")

    async def stop(self) -> Any:
        answer = await self.ask("lifespan.shutdown")
        await self.task
        return answer


def resource(name: str, log: list[str]) -> Resource:
    @asynccontextmanager
    async def open_and_close() -> AsyncIterator[None]:
        log.append(f"open {name}")
        try:
            yield
        finally:
            log.append(f"close {name}")

    return open_and_close


def broken_at_start() -> AbstractAsyncContextManager[None]:
    raise RuntimeError("no such port")


@asynccontextmanager
async def broken_at_stop() -> AsyncIterator[None]:
    yield
    raise RuntimeError("disk full")


@asynccontextmanager
async def never_closing() -> AsyncIterator[None]:
    yield
    await asyncio.Event().wait()


async def test_resources_open_in_order_and_close_in_reverse() -> None:
    log: list[str] = []
    server = Server(Lifespan(resource("pool", log), resource("workers", log)))

    assert await server.start() == {"type": "lifespan.startup.complete"}
    assert log == ["open pool", "open workers"]
    assert await server.stop() == {"type": "lifespan.shutdown.complete"}
    assert log[2:] == ["close workers", "close pool"]


async def test_resource_of_an_app_is_opened_after_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("onloop.asgi.lifespan._added", [])
    log: list[str] = []
    add_resource(resource("worker", log))
    server = Server(Lifespan(resource("pool", log)))

    await server.start()
    await server.stop()

    assert log == ["open pool", "open worker", "close worker", "close pool"]


async def test_failing_start_is_reported_and_undone() -> None:
    log: list[str] = []
    server = Server(Lifespan(resource("pool", log), broken_at_start))

    answer = await server.start()
    await server.task

    assert answer["type"] == "lifespan.startup.failed"
    assert "no such port" in answer["message"]
    assert log == ["open pool", "close pool"]


async def test_failing_stop_is_reported_after_the_rest_is_closed() -> None:
    log: list[str] = []
    server = Server(Lifespan(resource("pool", log), broken_at_stop))
    await server.start()

    answer = await server.stop()

    assert answer["type"] == "lifespan.shutdown.failed"
    assert "disk full" in answer["message"]
    assert log == ["open pool", "close pool"]


async def test_stop_is_bounded() -> None:
    server = Server(Lifespan(never_closing, shutdown_timeout=0.01))
    await server.start()

    answer = await server.stop()

    assert answer["type"] == "lifespan.shutdown.failed"
    assert "TimeoutError" in answer["message"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_is_announced_and_passed_on(number: signal.Signals) -> None:
    passed_on: list[int] = []
    original = signal.signal(number, lambda received, frame: passed_on.append(received))
    try:
        handler = signal.getsignal(number)
        server = Server(Lifespan())
        await server.start()
        assert not stopping().is_set()

        os.kill(os.getpid(), number)
        await stopping().wait()
        await server.stop()

        assert passed_on == [number]
        assert signal.getsignal(number) is handler
    finally:
        signal.signal(number, original)


async def endless() -> AsyncIterator[int]:
    yield 1
    yield 2
    await asyncio.Event().wait()


async def test_stream_ends_when_the_server_stops() -> None:
    server = Server(Lifespan())
    await server.start()
    seen: list[int] = []

    async for item in until_stopping(endless()):
        seen.append(item)
        if item == 2:
            await server.stop()

    assert seen == [1, 2]


async def test_stream_ends_when_its_source_ends() -> None:
    async def source() -> AsyncIterator[str]:
        yield "only"

    assert [item async for item in until_stopping(source())] == ["only"]

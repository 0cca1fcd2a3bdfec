"""Revalidation in the background: RFC 5861, section 3, in one process and in several."""

import asyncio
import logging
from asyncio import current_task
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from onloop.http.cache import Cache, end_revalidations, revalidation
from onloop.http.cache.memory import MemoryCache
from onloop.redis import shared_redis
from tests.services.polling import eventually

from .conftest import Calls, Clock, ClosedStream, Origin

STALE = Cache(fresh=5, stale_while_revalidate=10)

user: ContextVar[str] = ContextVar("user", default="nobody")


class SlowOrigin(httpx.AsyncBaseTransport):
    """Lets each request but the first wait until the test says `go`."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.received = asyncio.Event()
        self.go = asyncio.Event()
        self.cancelled = 0
        self.users: list[str] = []
        self.closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.users.append(user.get())
        response = await self.origin(request)
        if len(self.origin.requests) > 1:
            self.received.set()
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        return response

    async def aclose(self) -> None:
        self.closed = True


@pytest.fixture
async def slow(origin: Origin) -> SlowOrigin:
    return SlowOrigin(origin)


@pytest.fixture
async def stale(slow: SlowOrigin, clock: Clock, origin: Origin) -> AsyncIterator[Calls]:
    """Calls with an answer that is stale for a second."""
    origin.reply("one", etag='"a"')
    calls = Calls(slow, STALE, clock)
    await calls.get()
    clock.now += 6
    origin.reply("two", etag='"b"')
    yield calls
    await end_revalidations()
    assert asyncio.all_tasks() == {current_task()}


async def is_fresh(calls: Calls) -> bool:
    return await calls.outcome(cache_control="only-if-cached, max-age=4") == "hit"


async def test_stale_answer_is_returned_at_once_and_revalidated_once(
    stale: Calls, slow: SlowOrigin, origin: Origin
) -> None:
    responses = await asyncio.gather(*(stale.get() for _ in range(50)))
    assert {(r.text, r.extensions["cache"], r.headers["age"]) for r in responses} == {
        ("one", "stale", "6")
    }
    await slow.received.wait()
    assert await stale.outcome() == "stale"
    assert [request.headers.get("if-none-match") for request in origin.requests] == [None, '"a"']

    slow.go.set()
    await eventually(lambda: is_fresh(stale))
    assert (await stale.get()).text == "two"
    assert len(origin.requests) == 2


async def test_304_refreshes_it_as_well(stale: Calls, slow: SlowOrigin, origin: Origin) -> None:
    origin.reply(status=304, etag='"a"')
    slow.go.set()
    await stale.get()
    await eventually(lambda: is_fresh(stale))
    assert (await stale.get()).text == "one"


@pytest.mark.parametrize(("seconds", "outcome"), [(9, "stale"), (10, "miss")])
async def test_after_its_time_the_caller_waits(
    stale: Calls, slow: SlowOrigin, clock: Clock, seconds: int, outcome: str
) -> None:
    slow.go.set()
    clock.now += seconds
    assert await stale.outcome() == outcome


async def test_caller_who_wants_no_call_starts_none(stale: Calls, origin: Origin) -> None:
    assert await stale.outcome(cache_control="only-if-cached") == "stale"
    assert asyncio.all_tasks() == {current_task()}


@pytest.mark.parametrize("value", ["max-age=60", "min-fresh=1", "no-cache"])
async def test_caller_with_wishes_waits(stale: Calls, slow: SlowOrigin, value: str) -> None:
    slow.go.set()
    assert await stale.outcome(cache_control=value) == "miss"


async def test_header_of_the_answer_outweighs_the_declaration(
    slow: SlowOrigin, origin: Origin, clock: Clock
) -> None:
    slow.go.set()
    calls = Calls(slow, STALE, clock)
    origin.reply(cache_control="max-age=5, stale-while-revalidate=0")
    await calls.get("/0")
    origin.reply(cache_control="max-age=5, stale-while-revalidate=100")
    await calls.get("/100")
    clock.now += 50
    assert [await calls.outcome("/0"), await calls.outcome("/100")] == ["miss", "stale"]
    await end_revalidations()


async def test_head_gets_a_stale_answer_and_its_get_is_revalidated(
    stale: Calls, slow: SlowOrigin, origin: Origin
) -> None:
    slow.go.set()
    response = await stale.send("HEAD")
    assert (response.content, response.extensions["cache"]) == (b"", "stale")
    await eventually(lambda: is_fresh(stale))
    assert origin.last.method == "GET"


async def test_it_knows_nothing_of_the_request_that_starts_it(
    stale: Calls, slow: SlowOrigin
) -> None:
    slow.go.set()
    user.set("ada")
    await stale.get()
    await eventually(lambda: is_fresh(stale))
    assert slow.users == ["nobody", "nobody"]


async def test_answer_that_is_stale_again_is_revalidated_again(
    stale: Calls, slow: SlowOrigin, origin: Origin, clock: Clock
) -> None:
    slow.go.set()
    for body in ("two", "three"):
        origin.reply(body)
        assert await revalidated(stale) == "stale"
        assert (await stale.get()).text == body
        clock.now += 6
    assert len(origin.requests) == 3


@pytest.mark.parametrize("failure", ["error", "429", "503"])
async def test_failed_one_is_not_repeated_for_a_while(
    stale: Calls, slow: SlowOrigin, origin: Origin, failure: str
) -> None:
    slow.go.set()
    if failure == "error":
        origin.fail(httpx.ConnectError("refused"))
    else:
        origin.reply("sorry", int(failure))
    for _ in range(3):
        assert await revalidated(stale) == "stale"
    assert len(origin.requests) == 2


async def test_streamed_answer_is_closed(stale: Calls, slow: SlowOrigin, origin: Origin) -> None:
    stream = ClosedStream()
    slow.go.set()
    origin.answer = lambda _: httpx.Response(200, stream=stream)
    await revalidated(stale)
    assert stream.is_closed


async def revalidated(calls: Calls) -> str | None:
    """Call, and wait until the revalidation that this starts has ended; return the outcome."""
    before = asyncio.all_tasks()
    outcome = await calls.outcome()
    if started := asyncio.all_tasks() - before:
        await asyncio.wait(started)
    return outcome


async def test_failed_one_is_repeated_after_a_while(
    stale: Calls, slow: SlowOrigin, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onloop.http.cache.transport._RETRY_SECONDS", 0.0)
    slow.go.set()
    origin.fail(httpx.ConnectError("refused"))
    await revalidated(stale)
    origin.reply("two")
    await revalidated(stale)
    assert (await stale.get()).text == "two"


async def test_failure_is_logged_without_secrets(
    stale: Calls, slow: SlowOrigin, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    slow.go.set()
    origin.fail(httpx.ConnectError("no way to http://ada:secret@origin/?token=secret"))
    await revalidated(stale)
    message = "An answer of origin was not revalidated: no way to http://***@origin/?***"
    assert message in caplog.messages


async def test_defect_is_logged_with_its_traceback(
    stale: Calls, slow: SlowOrigin, origin: Origin, caplog: pytest.LogCaptureFixture
) -> None:
    slow.go.set()
    origin.fail(ZeroDivisionError())
    await revalidated(stale)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "ZeroDivisionError" in caplog.text


async def test_it_is_limited_in_time(
    stale: Calls,
    slow: SlowOrigin,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(revalidation, "REVALIDATION_SECONDS", 0.01)
    await revalidated(stale)
    assert slow.cancelled == 1
    assert "An answer of origin was not revalidated within 0.01 s." in caplog.messages


async def test_they_are_limited_in_number(
    slow: SlowOrigin, origin: Origin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revalidation, "_MOST", 3)
    origin.reply("one")
    calls = Calls(httpx.MockTransport(origin), STALE, clock)
    for number in range(5):
        await calls.get(f"/{number}")
    clock.now += 6
    calls = Calls(slow, STALE, clock)
    for number in range(5):
        assert await calls.outcome(f"/{number}") == "stale"
    assert len(asyncio.all_tasks()) == 4
    await end_revalidations()


async def test_closing_the_transport_ends_them(stale: Calls, slow: SlowOrigin) -> None:
    await stale.get()
    await slow.received.wait()
    await stale.transport.aclose()
    assert (slow.cancelled, slow.closed) == (1, True)


def test_none_survives_the_end_of_the_loop(origin: Origin, clock: Clock) -> None:
    async def leave_one_behind() -> SlowOrigin:
        slow = SlowOrigin(origin)
        calls = Calls(slow, STALE, clock)
        await calls.get()
        clock.now += 6
        await calls.get()
        await slow.received.wait()
        return slow

    assert asyncio.run(leave_one_behind()).cancelled == 1


@pytest.fixture(params=["memory", "redis"])
async def both(
    request: pytest.FixtureRequest, settings: Settings, slow: SlowOrigin, clock: Clock
) -> AsyncIterator[tuple[Calls, Calls]]:
    """Two caches of one upstream, as in two processes."""
    if request.param == "redis":
        settings.REDIS_URL = request.getfixturevalue("redis_url")
        settings.CACHES = {"default": {"BACKEND": "onloop.http.cache.redis.RedisCache"}}
    async with shared_redis():
        yield Calls(slow, STALE, clock), Calls(slow, STALE, clock)
        await end_revalidations()


async def test_one_process_revalidates_and_the_others_return_the_stale_answer(
    both: tuple[Calls, Calls], slow: SlowOrigin, origin: Origin, clock: Clock
) -> None:
    one, other = both
    origin.reply("one")
    await one.get()
    clock.now += 6
    origin.reply("two")
    assert await one.outcome() == "stale"
    await slow.received.wait()
    for _ in range(10):
        assert await revalidated(other) == "stale"
    assert len(origin.requests) == 2

    slow.go.set()
    await eventually(lambda: is_fresh(other))
    assert (await one.get()).text == (await other.get()).text == "two"
    assert len(origin.requests) == 2


async def test_process_that_comes_late_does_not_revalidate_again(
    slow: SlowOrigin, origin: Origin, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow.go.set()
    one, late = Calls(slow, STALE, clock), Calls(slow, STALE, clock)
    origin.reply("one")
    await one.get()
    clock.now += 6
    held, released = asyncio.Event(), asyncio.Event()
    add = MemoryCache.aadd

    async def held_add(*args: Any, **kwargs: Any) -> bool:
        if not held.is_set():
            held.set()
            await released.wait()
        return await add(*args, **kwargs)

    monkeypatch.setattr(MemoryCache, "aadd", held_add)
    await late.get()
    await held.wait()
    await one.get()
    await eventually(lambda: is_fresh(one))
    released.set()
    await asyncio.wait(asyncio.all_tasks() - {current_task()})
    assert len(origin.requests) == 2

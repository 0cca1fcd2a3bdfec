import asyncio
from contextlib import nullcontext
from itertools import chain, cycle, repeat

import pytest
from django.test import AsyncClient
from pytest_django import Settings

from onloop.conf import DEFAULTS
from onloop.http import (
    BadResponseError,
    CircuitOpenError,
    ConnectError,
    PoolTimeoutError,
    http_client,
    origin_of,
    shared_http_client,
)
from onloop.http.budget import Budget
from onloop.testing import Call, serve_upstream
from tests.http.calls import circuits, closed_port, hello


async def get(url: str, *, timeout: float = 30) -> bytes:  # noqa: ASYNC109
    until = asyncio.get_running_loop().time() + 100
    async with http_client() as client:
        return await origin_of(url).get(client, url, timeout=timeout, max_bytes=1000, until=until)


async def broken(call: Call) -> None:
    await call.reply(b"{}", "500 Internal Server Error")


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)


def test_origin_is_scheme_host_and_port() -> None:
    origin = origin_of("http://example.com/a?b=c")
    assert origin_of("HTTP://Example.com/d") is origin
    assert origin_of("http://ada:secret@example.com/") is origin
    for other in ("https://example.com/", "http://example.com:8000/", "http://www.example.com/"):
        assert origin_of(other) is not origin
    assert circuits() == {
        "http://example.com": "closed",
        "https://example.com": "closed",
        "http://example.com:8000": "closed",
        "http://www.example.com": "closed",
    }


@pytest.mark.usefixtures("transport")
async def test_get() -> None:
    async with serve_upstream(hello) as upstream:
        assert await get(f"{upstream.url}path?a=b") == b'"hello"'
    assert [call.target for call in upstream.calls] == ["/path?a=b"]


@pytest.mark.parametrize("retries", [0, 3])
async def test_retries_are_a_setting(settings: Settings, retries: int) -> None:
    settings.HTTP_RETRIES = retries
    async with serve_upstream(broken) as upstream:
        with pytest.raises(BadResponseError):
            await get(upstream.url)
    assert len(upstream.calls) == 1 + retries


async def test_open_circuit_answers_at_once_and_is_shown(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    async with serve_upstream(broken) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
        with pytest.raises(CircuitOpenError):
            await get(upstream.url)
    assert len(upstream.calls) == 20
    assert circuits() == {upstream.url.rstrip("/"): "open"}


async def test_each_origin_has_a_circuit_of_its_own(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    dead = f"http://127.0.0.1:{closed_port()}/"
    async with serve_upstream(hello) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(ConnectError):
                await get(dead)
        with pytest.raises(CircuitOpenError):
            await get(dead)
        assert await get(upstream.url) == b'"hello"'


@pytest.mark.usefixtures("no_pauses")
async def test_retries_of_a_few_bad_items_leave_the_circuit_closed(
    settings: Settings,
) -> None:
    """Four bad items of sixteen are a quarter of the calls, however often they are repeated."""
    settings.HTTP_RETRIES = 5

    async def answer(call: Call) -> None:
        await (broken if call.target in {"/0", "/1", "/2", "/3"} else hello)(call)

    async with serve_upstream(answer) as upstream, shared_http_client():
        for _ in range(3):
            urls = [f"{upstream.url}{item}" for item in range(16)]
            outcomes = await asyncio.gather(*map(get, urls), return_exceptions=True)
            assert [type(outcome) for outcome in outcomes] == [BadResponseError] * 4 + [bytes] * 12
        assert circuits() == {upstream.url.rstrip("/"): "closed"}


@pytest.mark.usefixtures("no_pauses")
async def test_call_that_a_retry_saves_is_a_success(settings: Settings) -> None:
    settings.HTTP_RETRIES = 1
    turns = cycle([broken, hello])

    async def answer(call: Call) -> None:
        await next(turns)(call)

    async with serve_upstream(answer) as upstream, shared_http_client():
        origin_of(upstream.url).retry_budget = Budget(1, 100, full=True)
        for _ in range(40):
            assert await get(upstream.url) == b'"hello"'
    assert len(upstream.calls) == 80
    assert circuits() == {upstream.url.rstrip("/"): "closed"}


async def test_circuit_that_opens_ends_the_retries_of_calls_that_began_before(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pausing = asyncio.Event()
    over = asyncio.Event()

    async def sleep(_: float) -> None:
        pausing.set()
        await over.wait()

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)
    async with serve_upstream(broken) as upstream, shared_http_client():
        call = asyncio.create_task(get(upstream.url))
        await pausing.wait()
        settings.HTTP_RETRIES = 0
        for _ in range(20):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
        assert circuits() == {upstream.url.rstrip("/"): "open"}
        over.set()
        with pytest.raises(BadResponseError, match=r"status 500\.$"):
            await call
    assert len(upstream.calls) == 21


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("saved", [True, False])
async def test_probe_may_be_repeated_and_its_outcome_decides(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, *, saved: bool
) -> None:
    now = 0.0
    monkeypatch.setattr("onloop.http.breaker.monotonic", lambda: now)
    settings.HTTP_RETRIES = 0
    answers = chain([broken] * 21, repeat(hello if saved else broken))

    async def answer(call: Call) -> None:
        await next(answers)(call)

    async with serve_upstream(answer) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
        now = DEFAULTS["HTTP_BREAKER_SECONDS"]
        settings.HTTP_RETRIES = 1
        with nullcontext() if saved else pytest.raises(BadResponseError):
            assert await get(upstream.url) == b'"hello"'
        assert circuits() == {upstream.url.rstrip("/"): "closed" if saved else "open"}
    assert len(upstream.calls) == 22


@pytest.mark.usefixtures("transport")
async def test_our_own_full_pool_leaves_the_circuit_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onloop.http.limits.MAX_CONNECTIONS", 5)
    async with serve_upstream(Call.closed) as upstream, shared_http_client():
        slow = [asyncio.create_task(get(upstream.url)) for _ in range(5)]
        outcomes = await asyncio.gather(
            *(get(upstream.url, timeout=0.1) for _ in range(40)), return_exceptions=True
        )
        assert {type(outcome) for outcome in outcomes} == {PoolTimeoutError}
        assert circuits() == {upstream.url.rstrip("/"): "closed"}
        for call in slow:
            call.cancel()
        await asyncio.wait(slow)


async def test_circuit_may_be_kept_closed(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    settings.HTTP_BREAKER_PERCENT = 0
    async with serve_upstream(broken) as upstream, shared_http_client():
        for _ in range(40):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
    assert len(upstream.calls) == 40


@pytest.mark.django_db
async def test_open_circuit_leaves_the_process_ready_and_is_shown_to_no_stranger(
    settings: Settings,
) -> None:
    settings.HTTP_RETRIES = 0
    async with serve_upstream(broken) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
    response = await AsyncClient().get("/readyz")
    assert response.status_code == 200
    assert circuits() == {upstream.url.rstrip("/"): "open"}
    assert response.json() == {"status": "ok", "parts": {"database": "ok"}}


@pytest.mark.usefixtures("transport")
async def test_hedged_call_leaves_no_connection_to_the_slow_copy(settings: Settings) -> None:
    settings.HTTP_HEDGING = True
    slow = iter(["first copy"])
    left = asyncio.Event()

    async def hang_once(call: Call) -> None:
        if call.target == "/slow" and next(slow, None):
            await call.closed()
            left.set()
        else:
            await hello(call)

    async with serve_upstream(hang_once) as upstream, shared_http_client():
        for _ in range(50):
            await get(upstream.url)
        assert origin_of(upstream.url).hedge.delay is not None
        assert await get(f"{upstream.url}slow") == b'"hello"'
        await left.wait()
    assert [call.target for call in upstream.calls].count("/slow") == 2


async def test_hedging_is_off_unless_asked_for() -> None:
    async with serve_upstream(hello) as upstream, shared_http_client():
        for _ in range(60):
            await get(upstream.url)
    assert origin_of(upstream.url).hedge.delay is None

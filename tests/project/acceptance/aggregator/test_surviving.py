"""How the aggregator handles failing upstreams: retries, circuits, hedging."""

import asyncio
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from onloop.http.exceptions import BAD_RESPONSE, TYPES
from onloop.testing import Answer, Call, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import AGGREGATED, circuits, get
from tests.answers import echo, echoes, task_id

PROJECT = Path(__file__).resolve().parents[3]


async def hang(call: Call) -> None:
    await call.closed()


async def reset(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.reset()


async def garbage(call: Call) -> None:
    await call.send(b"\x16\x03\x01 hello\r\n\r\n")


async def busy(call: Call) -> None:
    await call.reply(b"", "503 Service Unavailable")


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)


async def test_aggregation_recovers_from_three_failed_calls(
    server: str, settings: Settings
) -> None:
    misbehaviour: dict[int, Answer] = {}
    hung_up = asyncio.Event()

    async def hang_until_closed(call: Call) -> None:
        await hang(call)
        hung_up.set()

    async def answer(call: Call) -> None:
        await misbehaviour.get(task_id(call), echo)(call)

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        assert (await get(server + AGGREGATED)).json()["responses"] == echoes(10)
        misbehaviour.update({2: hang_until_closed, 5: reset, 8: garbage})
        settings.AGGREGATOR_TIMEOUT = 2.0
        first = await get(server + AGGREGATED)
        await hung_up.wait()  # pyreqwest closes the connection a moment after the timeout.
        misbehaviour.clear()
        settings.AGGREGATOR_TIMEOUT = 30.0
        calls = len(upstream.calls)
        second = await get(server + AGGREGATED)
        assert len(upstream.calls) == calls + 10
        assert upstream.open_connections <= 10
        assert upstream.in_flight == 0
        assert circuits() == {"aggregated": "closed"}

    assert first.status_code == 200
    responses = first.json()["responses"]
    types = {
        failed["task_id"]: failed["error"]["type"] for failed in responses if "error" in failed
    }
    assert types == {2: "timeout", 5: "bad_response", 8: "bad_response"}
    assert [answer for answer in responses if "error" not in answer] == [
        {"task_id": number} for number in (0, 1, 3, 4, 6, 7, 9)
    ]
    assert first.json()["errors"] == 3
    assert second.json()["responses"] == echoes(10)
    assert "errors" not in second.json()


@pytest.mark.usefixtures("no_pauses")
@pytest.mark.parametrize("misbehave", [reset, busy])
async def test_transient_failure_is_hidden_by_a_retry(
    server: str, settings: Settings, misbehave: Answer
) -> None:
    called: set[int] = set()

    async def answer(call: Call) -> None:
        repeated = task_id(call) in called
        called.add(task_id(call))
        await (echo if repeated else misbehave)(call)

    settings.AGGREGATOR_FAN_OUT = 5
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    assert response.json()["responses"] == echoes(5)
    assert "errors" not in response.json()
    assert len(upstream.calls) == 10


async def test_retry_after_beyond_the_deadline_is_not_waited_for(
    server: str, settings: Settings
) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b"", "429 Too Many Requests", "Retry-After: 3600")

    settings.AGGREGATOR_DEADLINE = 50.0
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    assert response.status_code == 502
    assert len(upstream.calls) == 10
    assert response.json()["responses"][0]["error"] == {
        "type": "bad_response",
        "message": "The server answered with status 429.",
    }


@pytest.mark.usefixtures("no_pauses")
async def test_dead_upstream_gets_few_retries_and_then_no_calls(
    server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("onloop.http.breaker.monotonic", lambda: now)
    begun = 0
    all_begun = asyncio.Event()

    async def busy_once_all_have_begun(call: Call) -> None:
        """Open the circuit only after the last call of the fan-out has begun."""
        nonlocal begun
        begun += 1
        if begun == 100:
            all_begun.set()
        await all_begun.wait()
        await busy(call)

    behaviour = busy_once_all_have_begun

    async def answer(call: Call) -> None:
        await behaviour(call)

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url

        settings.AGGREGATOR_FAN_OUT = 100
        failed = await get(server + AGGREGATED)
        calls = len(upstream.calls)
        assert 100 <= calls <= 120
        assert failed.status_code == 502
        assert error_types(failed.json()) == ["bad_response"] * 100

        settings.AGGREGATOR_FAN_OUT = 10
        refused = await get(server + AGGREGATED)
        assert len(upstream.calls) == calls
        assert refused.status_code == 502
        assert error_types(refused.json()) == ["circuit_open"] * 10

        now = settings.HTTP_BREAKER_SECONDS
        behaviour = echo
        probed = await get(server + AGGREGATED)
        assert len(upstream.calls) == calls + 1
        assert probed.status_code == 200
        assert sorted(error_types(probed.json())) == ["circuit_open"] * 9

        assert (await get(server + AGGREGATED)).json()["responses"] == echoes(10)


def error_types(answer: dict[str, list[dict[str, dict[str, str]]]]) -> list[str]:
    return [failed["error"]["type"] for failed in answer["responses"] if "error" in failed]


async def test_disconnect_ends_the_pauses(
    server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Semaphore(0), threading.Semaphore(0)

    async def sleep(_: float) -> None:
        begun.release()
        try:
            await asyncio.Event().wait()
        finally:
            ended.release()

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)
    async with serve_upstream(busy) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        request = asyncio.create_task(get(server + AGGREGATED))
        await asyncio.to_thread(acquire, begun, 10)
        request.cancel()
        await asyncio.to_thread(acquire, ended, 10)
    assert len(upstream.calls) == 10


def acquire(semaphore: threading.Semaphore, times: int) -> None:
    for _ in range(times):
        semaphore.acquire()


@pytest.fixture
def _half_a_second_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the calls of a fan-out of ten look as if each had taken 0.5 s."""
    monkeypatch.setattr("onloop.http.hedge.perf_counter", count(0, 0.05).__next__)


@pytest.mark.usefixtures("_half_a_second_each")
async def test_hedged_call_answers_in_place_of_one_that_hangs(
    server: str, settings: Settings
) -> None:
    settings.HTTP_HEDGING = True
    settings.AGGREGATOR_TIMEOUT = 5.0  # Until when pyreqwest keeps the connection.
    slow: Iterator[str] = iter([])
    left = asyncio.Event()

    async def answer(call: Call) -> None:
        if task_id(call) == 3 and next(slow, None):
            await call.closed()
            left.set()
        else:
            await echo(call)

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        for _ in range(10):
            assert (await get(server + AGGREGATED)).json()["responses"] == echoes(10)
        slow = iter(["first copy"])
        assert (await get(server + AGGREGATED)).json()["responses"] == echoes(10)
        await left.wait()


@pytest.mark.usefixtures("_half_a_second_each")
async def test_disconnect_ends_both_copies(server: str, settings: Settings) -> None:
    settings.HTTP_HEDGING = True
    settings.AGGREGATOR_TIMEOUT = 5.0  # Until when pyreqwest keeps the connections.
    slow = False
    hanging = 0
    both = asyncio.Event()

    async def answer(call: Call) -> None:
        nonlocal hanging
        if not slow:
            await echo(call)
            return
        hanging += 1
        if hanging == 11:
            both.set()
        await call.closed()

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        for _ in range(10):
            await get(server + AGGREGATED)
        slow = True
        request = asyncio.create_task(get(server + AGGREGATED))
        await both.wait()
        request.cancel()
        await upstream.all_closed.wait()


def test_every_type_of_error_is_documented() -> None:
    types = {BAD_RESPONSE, *(name for _, name in TYPES)}
    page = (PROJECT / "docs" / "endpoints.md").read_text()
    assert {name for name in types if f"`{name}`" not in page} == set()

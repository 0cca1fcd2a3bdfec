"""Runs as server-sent events: started by the stream, or by someone else."""

import httpx
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from live import shared_runs
from onloop.testing import Call, Upstream, barrier
from tests.answers import Hanging, HeldBack, echo, task_id
from tests.live.clients import connected, parse, read

STREAM = "/async/api_stream/"


def run_path(run: str) -> str:
    return f"/async/runs/{run}/"


async def test_run_is_sent_as_events(server: str, upstream: Upstream) -> None:
    upstream.answer = barrier(3, echo)

    start, *results, done = await read(f"{server}{STREAM}?fan_out=3")

    assert start == {"event": "start", "id": "0", "data": {"count": 3, "concurrency": 3}}
    assert [(result["event"], result["id"]) for result in results] == [
        ("result", "1"),
        ("result", "2"),
        ("result", "3"),
    ]
    responses = {result["data"]["index"]: result["data"]["response"] for result in results}
    assert responses == {number: {"task_id": number} for number in range(3)}
    assert (done["event"], done["id"]) == ("done", "done")
    assert (done["data"]["ok"], done["data"]["errors"]) == (3, 0)
    assert done["data"]["slowest"] == max(result["data"]["elapsed"] for result in results)


async def test_result_is_sent_when_it_arrives(server: str, upstream: Upstream) -> None:
    held_back = upstream.answer = HeldBack(3)

    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"{server}{STREAM}?fan_out=3") as response,
    ):
        parts = response.aiter_text()
        assert (await anext(parts)).startswith("event: start")
        for index in (2, 0, 1):
            held_back.release[index].set()
            (result, *_) = parse(await anext(parts))
            assert result["data"]["index"] == index


async def test_failed_call_is_a_result_with_its_error(server: str, upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        await (call.reply(b"<html>") if task_id(call) == 1 else echo(call))

    upstream.answer = answer

    _, *results, done = await read(f"{server}{STREAM}?fan_out=3")

    (failed,) = [result["data"] for result in results if not result["data"]["ok"]]
    error = {"type": "bad_response", "message": "The server's answer is not JSON."}
    assert failed["response"] == {"task_id": 1, "error": error}
    assert (done["data"]["ok"], done["data"]["errors"]) == (2, 1)


async def test_disconnect_ends_the_calls(server: str, upstream: Upstream) -> None:
    hanging = upstream.answer = Hanging(5)

    async with (
        httpx.AsyncClient() as client,
        client.stream("GET", f"{server}{STREAM}?fan_out=5"),
    ):
        await hanging.all_in.wait()
    await upstream.all_closed.wait()

    assert upstream.connections == 5


async def test_stream_makes_no_hop(server: str, upstream: Upstream, hops: list[str]) -> None:
    assert len(await read(f"{server}{STREAM}?fan_out=3")) == 5
    assert not hops


@pytest.mark.parametrize("path", [STREAM, run_path("0123456789abcdef")])
async def test_finished_stream_answers_204_on_reconnect(
    async_client: AsyncClient, path: str
) -> None:
    response = await async_client.get(path, headers={"Last-Event-ID": "done"})

    assert (response.status_code, response.content) == (204, b"")


async def test_streams_and_runs_share_one_rate_limit(
    async_client: AsyncClient, upstream: Upstream, settings: Settings
) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (1, 3600)

    assert (await async_client.get(STREAM)).status_code == 200
    assert (await async_client.get(run_path("0123456789abcdef"))).status_code == 429


async def test_started_run_is_followed_from_its_beginning(server: str, upstream: Upstream) -> None:
    held_back = upstream.answer = HeldBack(2)

    async with connected(server) as socket:
        run = await socket.start(2)
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", server + run_path(run)) as response,
        ):
            parts = response.aiter_text()
            events = parse(await anext(parts))
            for index in (1, 0):
                held_back.release[index].set()
            events += parse("".join([part async for part in parts]))
        messages = await socket.receive_until("done")

    assert [event["event"] for event in events] == ["start", "result", "result", "done"]
    sent = [{"type": event["event"], "run": run} | event["data"] for event in events]
    assert sent[1:] == messages


async def test_reconnect_misses_and_repeats_nothing(server: str, upstream: Upstream) -> None:
    async with connected(server) as socket:
        run = await socket.start(3)
        await socket.receive_until("done")

    events = await read(server + run_path(run))

    for seen, event in enumerate(events[:-1], start=1):
        rest = await read(server + run_path(run), **{"Last-Event-ID": event["id"]})
        assert rest == events[seen:]


async def test_followers_get_no_long_response(server: str, upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b'"%b"' % (b"x" * shared_runs.MAX_DATA))

    upstream.answer = answer

    async with connected(server) as socket:
        run = await socket.start(1)
        result, _ = await socket.receive_until("done")
    _, shortened, _ = await read(server + run_path(run))

    assert len(result["response"]) == shared_runs.MAX_DATA
    assert shortened["data"]["ok"]
    assert "response" not in shortened["data"]


async def test_silent_run_is_lost(
    server: str, upstream: Upstream, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_runs, "MARGIN_SECONDS", 0.0)
    hanging = upstream.answer = Hanging(1)

    async with connected(server) as socket:
        run = await socket.start(1)
        await hanging.all_in.wait()
        settings.AGGREGATOR_DEADLINE = 0.05
        start, lost = await read(server + run_path(run))

    assert (start["event"], lost["event"], lost["id"]) == ("start", "lost", "done")


async def test_cancelled_run_ends_its_streams(server: str, upstream: Upstream) -> None:
    hanging = upstream.answer = Hanging(2)

    async with connected(server) as socket:
        run = await socket.start(2)
        await hanging.all_in.wait()
    start, end = await read(server + run_path(run))

    assert start["event"] == "start"
    assert (end["event"], end["id"]) == ("cancelled", "done")


async def test_unknown_run_gets_404(async_client: AsyncClient) -> None:
    response = await async_client.get(run_path("0123456789abcdef"))

    assert response.status_code == 404
    assert response.json()["error"]["type"] == "unknown_run"

"""Runs over a WebSocket."""

import httpx
import pytest
from pytest_django import Settings

from onloop.testing import Upstream
from tests.answers import Hanging, HeldBack
from tests.live.clients import connected

NO_FAN_OUT = "but it must be a whole number from 1 to 1000."


async def test_run_is_reported(server: str, upstream: Upstream, hops: list[str]) -> None:
    async with connected(server) as socket:
        await socket.send(type="start", fan_out=3)
        start, *results, done = await socket.receive_until("done")

    run = start["run"]
    assert start == {"type": "start", "run": run, "count": 3, "concurrency": 3}
    assert {(result["type"], result["run"]) for result in results} == {("result", run)}
    assert sorted(result["index"] for result in results) == [0, 1, 2]
    assert all(result["response"] == {"task_id": result["index"]} for result in results)
    assert (done["run"], done["ok"], done["errors"]) == (run, 3, 0)
    assert not hops


async def test_fan_out_defaults_to_the_setting(
    server: str, upstream: Upstream, settings: Settings
) -> None:
    settings.AGGREGATOR_FAN_OUT = 2

    async with connected(server) as socket:
        await socket.send(type="start")
        assert (await socket.receive())["count"] == 2
        await socket.receive_until("done")


async def test_result_is_sent_when_it_arrives(server: str, upstream: Upstream) -> None:
    held_back = upstream.answer = HeldBack(3)

    async with connected(server) as socket:
        await socket.start(3)
        for index in (2, 0, 1):
            held_back.release[index].set()
            assert (await socket.receive())["index"] == index


async def test_cancel_ends_the_calls(server: str, upstream: Upstream) -> None:
    hanging = upstream.answer = Hanging(5)

    async with connected(server) as socket:
        run = await socket.start(5)
        await hanging.all_in.wait()
        await socket.send(type="cancel")
        message = {"type": "cancelled", "run": run, "message": "The run was cancelled."}
        assert await socket.receive() == message
        await upstream.all_closed.wait()


async def test_disconnect_ends_the_calls(server: str, upstream: Upstream) -> None:
    hanging = upstream.answer = Hanging(5)

    async with connected(server) as socket:
        await socket.start(5)
        await hanging.all_in.wait()
    await upstream.all_closed.wait()

    assert upstream.connections == 5


async def test_second_run_is_refused_during_the_first(server: str, upstream: Upstream) -> None:
    upstream.answer = Hanging(2)

    async with connected(server) as socket:
        run = await socket.start(2)
        for message in ({"type": "start"}, {"type": "follow", "run": run}):
            await socket.send(**message)
            assert (await socket.receive())["error"] == {
                "type": "busy",
                "message": f"The run {run} is in progress here; cancel it first.",
            }


@pytest.mark.parametrize(
    ("message", "error_type", "sentence"),
    [
        ({}, "bad_request", "type is None, but it must be 'start', 'follow' or 'cancel'."),
        ({"type": "start", "fan_out": 0}, "bad_request", f"fan_out is 0, {NO_FAN_OUT}"),
        ({"type": "start", "fan_out": 1001}, "bad_request", f"fan_out is 1001, {NO_FAN_OUT}"),
        ({"type": "start", "fan_out": "5"}, "bad_request", f"fan_out is '5', {NO_FAN_OUT}"),
        ({"type": "start", "fan_out": True}, "bad_request", f"fan_out is True, {NO_FAN_OUT}"),
        ({"type": "follow"}, "bad_request", "run is None, but it must be a run's id."),
        (
            {"type": "follow", "run": "0123456789abcdef"},
            "unknown_run",
            "There is no run '0123456789abcdef', or it ended long ago.",
        ),
        ({"type": "cancel"}, "not_running", "There is no run to cancel."),
    ],
)
async def test_bad_message_gets_an_error(
    server: str, message: dict[str, object], error_type: str, sentence: str
) -> None:
    async with connected(server) as socket:
        await socket.send(**message)
        answer = await socket.receive()

    assert answer == {"type": "error", "error": {"type": error_type, "message": sentence}}


async def test_runs_count_against_the_rate_limit(
    server: str, upstream: Upstream, settings: Settings
) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (1, 3600)

    async with connected(server) as socket, httpx.AsyncClient() as client:
        run = await socket.start(1)
        await socket.receive_until("done")
        for message in ({"type": "start"}, {"type": "follow", "run": run}):
            await socket.send(**message)
            assert (await socket.receive())["error"]["type"] == "rate_limited"
        assert (await client.get(f"{server}/async/api_stream/")).status_code == 429


async def test_others_follow_a_run_from_its_beginning(server: str, upstream: Upstream) -> None:
    held_back = upstream.answer = HeldBack(2)

    async with connected(server) as socket, connected(server) as follower:
        run = await socket.start(2)
        held_back.release[1].set()
        first = await socket.receive()
        await follower.send(type="follow", run=run)
        start = await follower.receive()
        assert await follower.receive() == first
        held_back.release[0].set()
        rest = await socket.receive_until("done")
        assert await follower.receive_until("done") == rest

    assert (start["type"], start["run"], start["count"]) == ("start", run, 2)


async def test_cancel_of_a_follower_ends_only_its_own_view(server: str, upstream: Upstream) -> None:
    hanging = upstream.answer = Hanging(2)

    async with connected(server) as socket, connected(server) as follower:
        run = await socket.start(2)
        await hanging.all_in.wait()
        for _ in range(2):
            await follower.send(type="follow", run=run)
            assert (await follower.receive())["type"] == "start"
            await follower.send(type="cancel")
            assert (await follower.receive())["type"] == "cancelled"
        assert upstream.open_connections == 2

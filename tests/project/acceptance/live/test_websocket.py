"""Runs over a WebSocket."""

import asyncio
import json

import pytest
from onloop.asgi import conversation
from onloop.testing import barrier, fetch, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import connected
from tests.answers import Hanging, HeldBack, echo


async def test_run_is_reported(server: str, settings: Settings, hops: list[str]) -> None:
    async with serve_upstream(barrier(3, echo)) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        await client.send(type="start", fan_out=3)
        start, *results, done = await client.receive_until("done")

    run = start["run"]
    assert start == {"type": "start", "run": run, "count": 3, "concurrency": 3}
    assert {(result["type"], result["run"]) for result in results} == {("result", run)}
    assert sorted(result["index"] for result in results) == [0, 1, 2]
    assert all(result["response"] == {"task_id": result["index"]} for result in results)
    assert (done["run"], done["ok"], done["errors"]) == (run, 3, 0)
    assert not hops


async def test_fan_out_defaults_to_the_setting(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_FAN_OUT = 2
    async with serve_upstream(echo) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        await client.send(type="start")
        assert (await client.receive())["count"] == 2
        await client.receive_until("done")


async def test_fan_out_is_limited_by_the_settings(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_MAX_FAN_OUT = 10
    async with connected(server) as client:
        assert await client.error_for('{"type": "start", "fan_out": 11}') == {
            "type": "bad_request",
            "message": "fan_out is 11, but it must be a whole number from 1 to 10.",
        }


async def test_result_is_sent_when_it_arrives(server: str, settings: Settings) -> None:
    held_back = HeldBack(3)
    async with serve_upstream(held_back) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        await client.start(3)
        for index in (2, 0, 1):
            held_back.release[index].set()
            assert (await client.receive())["index"] == index


async def test_cancel_ends_all_calls_immediately(server: str, settings: Settings) -> None:
    hanging = Hanging(5)
    async with serve_upstream(hanging) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await client.start(5)
        await hanging.all_in.wait()
        await client.send(type="cancel")
        assert await client.receive() == {
            "type": "cancelled",
            "run": run,
            "message": "The run was cancelled.",
        }
        await upstream.all_closed.wait()
        assert upstream.connections == 5

    async with serve_upstream(echo) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        assert await client.start(1) != run
        await client.receive_until("done")


async def test_disconnect_ends_the_run(server: str, settings: Settings) -> None:
    hanging = Hanging(5)
    async with serve_upstream(hanging) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        async with connected(server) as client:
            await client.start(5)
            await hanging.all_in.wait()
        await upstream.all_closed.wait()
    assert upstream.connections == 5


async def test_second_run_is_refused_during_the_first(server: str, settings: Settings) -> None:
    hanging = Hanging(2)
    async with serve_upstream(hanging) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await client.start(2)
        for message in ({"type": "start"}, {"type": "follow", "run": run}):
            assert await client.error_for(json.dumps(message)) == {
                "type": "busy",
                "message": f"The run {run} is in progress here; cancel it first.",
            }
        await client.send(type="cancel")
        assert (await client.receive())["type"] == "cancelled"


NO_FAN_OUT = "but it must be a whole number from 1 to 1000."


@pytest.mark.parametrize(
    ("text", "error_type", "sentence"),
    [
        ("", "bad_request", "The message is not JSON."),
        ("{'type': 'start'}", "bad_request", "The message is not JSON."),
        ("[" * 4000, "bad_request", "The message is not JSON."),
        ("null", "bad_request", "The message is None, but it must be a JSON object."),
        ("[1, 2]", "bad_request", "The message is [1, 2], but it must be a JSON object."),
        (
            "{}",
            "bad_request",
            "type is None, but it must be 'start', 'follow' or 'cancel'.",
        ),
        (
            '{"type": ["start"]}',
            "bad_request",
            "type is ['start'], but it must be 'start', 'follow' or 'cancel'.",
        ),
        ('{"type": "start", "fan_out": 0}', "bad_request", f"fan_out is 0, {NO_FAN_OUT}"),
        ('{"type": "start", "fan_out": 1001}', "bad_request", f"fan_out is 1001, {NO_FAN_OUT}"),
        ('{"type": "start", "fan_out": "5"}', "bad_request", f"fan_out is '5', {NO_FAN_OUT}"),
        ('{"type": "start", "fan_out": 5.0}', "bad_request", f"fan_out is 5.0, {NO_FAN_OUT}"),
        ('{"type": "start", "fan_out": true}', "bad_request", f"fan_out is True, {NO_FAN_OUT}"),
        ('{"type": "follow"}', "bad_request", "run is None, but it must be a run's id."),
        (
            '{"type": "follow", "run": "0123456789abcdef"}',
            "unknown_run",
            "There is no run '0123456789abcdef', or it ended long ago.",
        ),
        (
            '{"type": "follow", "run": "\\ud800"}',
            "unknown_run",
            "There is no run '\\ud800', or it ended long ago.",
        ),
        ('{"type": "cancel"}', "not_running", "There is no run to cancel."),
    ],
)
async def test_bad_message_is_answered_with_an_error(
    server: str, text: str, error_type: str, sentence: str
) -> None:
    async with connected(server) as client:
        assert await client.error_for(text) == {"type": error_type, "message": sentence}
        assert (await client.error_for('{"type": "cancel"}'))["type"] == "not_running"


@pytest.mark.parametrize(
    ("message", "error_type", "code"),
    [
        (b"{}", "bad_request", 1003),
        (b"x" * 4097, "message_too_big", 1009),
        ('"' + "é" * 2048 + '"', "message_too_big", 1009),
    ],
)
async def test_fatal_message_closes_the_connection(
    server: str, message: str | bytes, error_type: str, code: int
) -> None:
    async with connected(server) as client:
        assert (await client.error_for(message))["type"] == error_type
        assert await client.close_code() == code


async def test_too_many_messages_close_the_connection(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "MESSAGES_PER_SECOND", 0)
    async with connected(server) as client:
        for _ in range(conversation.MESSAGES_AT_ONCE):
            assert (await client.error_for("{}"))["type"] == "bad_request"
        assert (await client.error_for("{}"))["type"] == "too_many_messages"
        assert await client.close_code() == 1008


async def test_runs_count_against_the_rate_limit(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (1, 3600)
    async with serve_upstream(echo) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await client.start(1)
        await client.receive_until("done")
        for message in ({"type": "start"}, {"type": "follow", "run": run}):
            refusal = await client.error_for(json.dumps(message))
            assert refusal["type"] == "rate_limited"
            assert refusal["message"].startswith("One client may make 1 requests in 3600 s.")
    for path in ("/async/api_stream/", f"/async/runs/{run}/"):
        assert (await asyncio.to_thread(fetch, server + path)).status_code == 429


async def test_idle_connection_is_closed_but_not_during_a_run(
    server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held_back = HeldBack(1)
    async with serve_upstream(held_back) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        await client.start(1)
        monkeypatch.setattr(conversation, "IDLE_SECONDS", 0.01)
        assert (await client.error_for('{"type": "start"}'))["type"] == "busy"
        held_back.release[0].set()
        await client.receive_until("done")
        assert (await client.receive())["error"] == {
            "type": "idle",
            "message": "There was no message for 0.01 s.",
        }
        assert await client.close_code() == 1000


async def test_others_follow_a_run_from_its_beginning(server: str, settings: Settings) -> None:
    held_back = HeldBack(2)
    async with serve_upstream(held_back) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await client.start(2)
        held_back.release[1].set()
        seen = [await client.receive()]
        async with connected(server) as early:
            await early.send(type="follow", run=run)
            start, first = await early.receive(), await early.receive()
            assert (start["type"], start["count"], start["run"]) == ("start", 2, run)
            assert first == seen[0]
            held_back.release[0].set()
            seen += await client.receive_until("done")
            assert await early.receive_until("done") == seen[1:]
            async with connected(server) as late:
                await late.send(type="follow", run=run)
                assert await late.receive_until("done") == [start, *seen]


async def test_follower_can_stop_and_is_informed_of_a_cancel(
    server: str, settings: Settings
) -> None:
    hanging = Hanging(2)
    async with serve_upstream(hanging) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await client.start(2)
        await hanging.all_in.wait()
        async with connected(server) as other:
            for _ in range(2):
                await other.send(type="follow", run=run)
                assert (await other.receive())["type"] == "start"
                await other.send(type="cancel")
                assert (await other.receive())["type"] == "cancelled"
            await other.send(type="follow", run=run)
            assert (await other.receive())["type"] == "start"
            assert not upstream.all_closed.is_set()
            await client.send(type="cancel")
            assert await client.receive() == await other.receive()

"""Runs over a WebSocket."""

import pytest
from onloop.testing import serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import connected
from tests.answers import Hanging, HeldBack


async def test_fan_out_is_limited_by_the_settings(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_MAX_FAN_OUT = 10
    async with connected(server) as client:
        assert await client.error_for('{"type": "start", "fan_out": 11}') == {
            "type": "bad_request",
            "message": "fan_out is 11, but it must be a whole number from 1 to 10.",
        }


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

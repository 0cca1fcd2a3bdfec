"""The quota for the total bytes of one aggregation."""

from collections import Counter

import pytest
from onloop.testing import Call, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import AGGREGATED, circuits, get
from tests.answers import echo, task_id

BODY = b'"' + b"x" * 398 + b'"'


async def large(call: Call) -> None:
    await call.reply(BODY)


async def test_calls_beyond_the_quota_end_in_their_slots(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_MAX_TOTAL_BYTES = 1_000
    settings.AGGREGATOR_FAN_OUT = 30
    async with serve_upstream(large) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
        assert len(upstream.calls) == 30
        assert circuits() == {"aggregated": "closed"}
    assert response.status_code == 200
    answer = response.json()
    assert answer["errors"] == 28
    failed = [slot for slot in answer["responses"] if slot != BODY.decode().strip('"')]
    message = "The answers of all calls are larger than 1000 bytes together."
    error = {"type": "quota_exceeded", "message": message}
    assert [slot["error"] for slot in failed] == [error] * 28


@pytest.mark.parametrize("wasted", ["too large", "cut off"])
async def test_failed_calls_do_not_use_the_quota(
    server: str, settings: Settings, wasted: str
) -> None:
    async def answer(call: Call) -> None:
        if task_id(call) == 9:
            await echo(call)
        elif wasted == "too large":
            await call.reply(b"x" * 901)
        else:
            await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 901\r\n\r\n" + b"x" * 900)
            call.writer.close()

    settings.HTTP_RETRIES = 0
    settings.AGGREGATOR_MAX_TOTAL_BYTES = 1_000
    settings.AGGREGATOR_MAX_RESPONSE_BYTES = 900
    settings.AGGREGATOR_CONCURRENCY = 1
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    slots = response.json()["responses"]
    assert slots.pop() == {"task_id": 9}
    assert Counter(slot["error"]["type"] for slot in slots) == {"bad_response": 9}

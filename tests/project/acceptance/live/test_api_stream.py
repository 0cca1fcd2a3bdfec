"""The fan-out as server-sent events."""

import httpx
import pytest
from django.test import AsyncClient
from onloop.testing import TLS, Call, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import parse
from tests.answers import echo

STREAM = "/async/api_stream/"


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, headers=headers, verify=TLS) as client:
        return await client.get(url)


async def test_answer_of_several_lines_stays_json(server: str, settings: Settings) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b'{\n  "a":\r\n\r\n 1}\r')

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(f"{server}{STREAM}?fan_out=1")

    _, result, _ = parse(response.text)
    assert result["data"]["response"] == {"a": 1}


async def test_calls_beyond_the_concurrency_wait(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_CONCURRENCY = 1
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(f"{server}{STREAM}?fan_out=5")

    start, *results, _ = parse(response.text)
    assert start["data"] == {"count": 5, "concurrency": 1}
    assert [result["data"]["index"] for result in results] == [0, 1, 2, 3, 4]
    ends = [result["data"]["started"] + result["data"]["elapsed"] for result in results]
    starts = [result["data"]["started"] for result in results[1:]]
    assert all(end <= start + 0.001 for end, start in zip(ends, starts, strict=False))


@pytest.mark.parametrize("seen", ["", "0", "7", "nonsense"])
async def test_run_that_was_cut_off_starts_again(
    server: str, settings: Settings, seen: str
) -> None:
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(f"{server}{STREAM}?fan_out=2", **{"Last-Event-ID": seen})
    assert [event["event"] for event in parse(response.text)] == [
        "start",
        "result",
        "result",
        "done",
    ]


async def test_bad_number_of_calls_is_refused(
    async_client: AsyncClient, settings: Settings
) -> None:
    settings.AGGREGATOR_MAX_FAN_OUT = 10
    response = await async_client.get(STREAM, {"fan_out": "11"})
    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "fan_out is '11', but it must be a whole number from 1 to 10."
    )


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE"])
async def test_other_methods_get_405(async_client: AsyncClient, method: str) -> None:
    response = await async_client.generic(method, STREAM)
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


async def test_page_and_stream_never_leave_the_event_loop(
    server: str, settings: Settings, hops: list[str]
) -> None:
    settings.AGGREGATOR_FAN_OUT = 3
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        for path in ("/", STREAM):
            assert (await get(server + path)).status_code == 200
    assert not hops


async def test_streams_and_aggregations_share_one_rate_limit(
    server: str, settings: Settings
) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (2, 3600)
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        paths = (STREAM, "/async/api_aggregated/", STREAM)
        responses = [await get(server + path) for path in paths]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].headers["content-type"] == "application/json"


async def test_delivered_bodies_count_against_the_quota(server: str, settings: Settings) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b'"%b"' % (b"x" * 398))

    settings.AGGREGATOR_MAX_TOTAL_BYTES = 1_000
    settings.AGGREGATOR_CONCURRENCY = 1
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(f"{server}{STREAM}?fan_out=5")
    results = [event["data"] for event in parse(response.text) if event["event"] == "result"]
    assert [result["ok"] for result in results] == [True, True, False, False, False]
    assert results[2]["response"]["error"]["type"] == "quota_exceeded"

"""The fan-out as server-sent events."""

import json

import httpx
import pytest
from django.test import AsyncClient
from onloop.testing import TLS, Call, barrier, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import parse
from tests.answers import Hanging, HeldBack, echo, task_id

STREAM = "/async/api_stream/"


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, headers=headers, verify=TLS) as client:
        return await client.get(url)


async def test_run_is_sent_as_events(server: str, settings: Settings) -> None:
    async with serve_upstream(barrier(3, echo)) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(f"{server}{STREAM}?fan_out=3")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream"
    assert response.headers["cache-control"] == "no-cache"
    assert response.headers["x-accel-buffering"] == "no"
    start, *results, done = parse(response.text)
    assert start == {"event": "start", "id": "0", "data": {"count": 3, "concurrency": 3}}
    assert [result["id"] for result in results] == ["1", "2", "3"]
    assert {result["event"] for result in results} == {"result"}
    data = sorted((result["data"] for result in results), key=lambda data: data["index"])
    for index, result in enumerate(data):
        assert result["index"] == index
        assert result["ok"] is True
        assert result["response"] == {"task_id": index}
        assert 0 <= result["started"] <= result["started"] + result["elapsed"]
    assert (done["event"], done["id"]) == ("done", "done")
    summary = done["data"]
    assert (summary["ok"], summary["errors"]) == (3, 0)
    assert summary["slowest"] == max(result["elapsed"] for result in data)
    assert summary["elapsed"] + 0.001 >= summary["slowest"]


async def test_result_is_sent_when_it_arrives(server: str, settings: Settings) -> None:
    held_back = HeldBack(3)
    async with serve_upstream(held_back) as upstream, httpx.AsyncClient(timeout=60) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        async with client.stream("GET", f"{server}{STREAM}?fan_out=3") as response:
            lines = response.aiter_lines()
            for index in (2, 0, 1):
                held_back.release[index].set()
                async for line in lines:
                    if '"index"' in line:
                        break
                assert json.loads(line.removeprefix("data: "))["index"] == index


async def test_failed_call_is_a_result_with_a_typed_error(server: str, settings: Settings) -> None:
    async def answer(call: Call) -> None:
        if task_id(call) == 1:
            await call.reply(b"<html>")
        else:
            await echo(call)

    settings.AGGREGATOR_FAN_OUT = 3
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = f"{upstream.url}?token=secret"
        response = await get(server + STREAM)

    _, *results, done = parse(response.text)
    (failed,) = [result["data"] for result in results if not result["data"]["ok"]]
    assert failed["index"] == 1
    error = {"type": "bad_response", "message": "The server's answer is not JSON."}
    assert failed["response"] == {"task_id": 1, "error": error}
    assert (done["data"]["ok"], done["data"]["errors"]) == (2, 1)
    assert "secret" not in response.text


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


async def test_finished_run_is_not_repeated(server: str) -> None:
    response = await get(server + STREAM, **{"Last-Event-ID": "done"})
    assert (response.status_code, response.content) == (204, b"")


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


async def test_disconnect_ends_the_calls(server: str, settings: Settings) -> None:
    hanging = Hanging(5)
    async with serve_upstream(hanging) as upstream, httpx.AsyncClient(timeout=60) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        async with client.stream("GET", f"{server}{STREAM}?fan_out=5") as response:
            text = response.aiter_text()
            assert (await anext(text)).startswith("event: start")
            await hanging.all_in.wait()
        await upstream.all_closed.wait()
    assert upstream.connections == 5


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

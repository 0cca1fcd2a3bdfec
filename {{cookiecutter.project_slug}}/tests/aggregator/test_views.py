"""The view that calls the upstream many times."""

import asyncio
import re

import httpx
import pytest
from django.test import AsyncClient, Client
from pytest_django import Settings

from onloop.testing import Call, Upstream, barrier
from tests.answers import Hanging, echo, echoes, task_id

AGGREGATED = "/async/api_aggregated/"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_get_405(client: Client, method: str) -> None:
    response = client.generic(method, AGGREGATED)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")


async def test_upstream_is_our_own_sync_api_by_default(server: str, settings: Settings) -> None:
    settings.SYNC_API_DELAY = 0

    async with httpx.AsyncClient() as client:
        response = await client.get(server + AGGREGATED)

    answer = response.json()
    assert list(answer) == ["responses", "debug_message"]
    assert answer["responses"] == [
        {"message": "Hello World!", "task_id": str(number)} for number in range(10)
    ]
    assert re.fullmatch(r"fetch executed in \d+\.\d\d seconds\.", answer["debug_message"])


async def test_calls_are_concurrent_and_answered_in_order(
    async_client: AsyncClient, upstream: Upstream, settings: Settings
) -> None:
    upstream.answer = barrier(50, echo)
    settings.AGGREGATOR_UPSTREAM_URL = f"{upstream.url}?token=secret"

    response = await async_client.get(AGGREGATED, {"fan_out": "50"})

    assert response.json()["responses"] == echoes(50)
    assert upstream.most_in_flight == 50
    assert {call.target.split("&")[0] for call in upstream.calls} == {"/?token=secret"}


async def test_concurrent_calls_are_bounded(
    async_client: AsyncClient, upstream: Upstream, settings: Settings
) -> None:
    settings.AGGREGATOR_CONCURRENCY = 4

    response = await async_client.get(AGGREGATED, {"fan_out": "20"})

    assert response.json()["responses"] == echoes(20)
    assert upstream.most_in_flight <= 4


@pytest.mark.parametrize("value", ["0", "11", "-1", "1.5", "ten", "", "007", "²"])
async def test_bad_fan_out_gets_400(
    async_client: AsyncClient, settings: Settings, value: str
) -> None:
    settings.AGGREGATOR_MAX_FAN_OUT = 10

    response = await async_client.get(AGGREGATED, {"fan_out": value})

    assert response.status_code == 400
    message = f"fan_out is {value!r}, but it must be a whole number from 1 to 10."
    assert response.json() == {"error": {"type": "bad_request", "message": message}}


async def test_failed_call_is_an_error_in_its_slot(
    async_client: AsyncClient, upstream: Upstream
) -> None:
    async def answer(call: Call) -> None:
        await (call.reply(b"<html>") if task_id(call) == 1 else echo(call))

    upstream.answer = answer

    response = await async_client.get(AGGREGATED, {"fan_out": "3"})

    assert response.status_code == 200
    error = {"type": "bad_response", "message": "The server's answer is not JSON."}
    assert response.json()["responses"] == [
        {"task_id": 0},
        {"task_id": 1, "error": error},
        {"task_id": 2},
    ]
    assert response.json()["errors"] == 1


async def test_only_failed_calls_get_502(async_client: AsyncClient, upstream: Upstream) -> None:
    async def fail(call: Call) -> None:
        await call.reply(b"{}", "400 Bad Request")

    upstream.answer = fail

    response = await async_client.get(AGGREGATED)

    assert response.status_code == 502
    assert response.json()["errors"] == 10


async def test_missed_deadline_gets_504(
    async_client: AsyncClient, upstream: Upstream, settings: Settings
) -> None:
    upstream.answer = Hanging(10)
    settings.AGGREGATOR_DEADLINE = 0.05

    response = await async_client.get(AGGREGATED)

    assert response.status_code == 504
    assert response.json()["responses"][0]["error"]["type"] == "deadline_exceeded"


async def test_requests_beyond_the_rate_limit_get_429(
    async_client: AsyncClient, upstream: Upstream, settings: Settings
) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (2, 3600)

    responses = [await async_client.get(AGGREGATED) for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert len(upstream.calls) == 20


async def test_disconnect_ends_the_calls(server: str, upstream: Upstream) -> None:
    hanging = upstream.answer = Hanging(10)

    async with httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(server + AGGREGATED))
        await hanging.all_in.wait()
        request.cancel()
        await upstream.all_closed.wait()

    assert upstream.connections == 10


async def test_aggregation_makes_no_hop(server: str, upstream: Upstream, hops: list[str]) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.get(server + AGGREGATED)

    assert response.status_code == 200
    assert not hops

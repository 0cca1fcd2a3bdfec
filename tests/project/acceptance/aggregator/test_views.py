import asyncio
import json
import re
from reprlib import repr as short_repr
from types import ModuleType
from typing import Any

import pytest
from aggregator import views
from django.contrib.auth import get_user_model
from django.db.backends.signals import connection_created
from django.test import AsyncClient, Client
from django.urls import path
from onloop.authentication import authenticated
from onloop.testing import Call, barrier, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import AGGREGATED, get
from tests.answers import echo, echoes, task_id

User = get_user_model()

# The sync API


@pytest.mark.parametrize(
    ("query", "expected"), [("?task_id=07", "07"), ("?task_id=", ""), ("", None)]
)
async def test_sync_api_returns_the_task_id(
    server: str, settings: Settings, query: str, expected: str | None
) -> None:
    settings.SYNC_API_DELAY = 0
    response = await get(f"{server}/sync/api/{query}")
    assert response.status_code == 200
    assert response.json() == {"message": "Hello World!", "task_id": expected}


@pytest.mark.parametrize("path", ["/sync/api/", AGGREGATED])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_other_methods_get_405(async_client: AsyncClient, path: str, method: str) -> None:
    response = await async_client.generic(method, path)
    assert response.status_code == 405
    assert response.headers["allow"] == "GET, HEAD"


# The aggregator


async def test_default_upstream_is_our_own_sync_api(server: str, settings: Settings) -> None:
    settings.SYNC_API_DELAY = 0
    response = await get(server + AGGREGATED)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answer = response.json()
    assert list(answer) == ["responses", "debug_message"]
    assert answer["responses"] == [
        {"message": "Hello World!", "task_id": str(number)} for number in range(10)
    ]
    assert re.fullmatch(r"fetch executed in \d+\.\d\d seconds\.", answer["debug_message"])


@pytest.mark.parametrize("count", [1, 25])
async def test_query_sets_the_number_of_calls(server: str, settings: Settings, count: int) -> None:
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        answer = (await get(f"{server}{AGGREGATED}?fan_out={count}")).json()
    assert answer["responses"] == echoes(count)


@pytest.mark.parametrize("value", ["0", "1001", "-1", "1.5", "ten", "", "007", "²", "9" * 5000])
async def test_bad_number_of_calls_is_refused_in_one_sentence(
    async_client: AsyncClient, value: str
) -> None:
    response = await async_client.get(AGGREGATED, {"fan_out": value})
    assert response.status_code == 400
    accepted = "a whole number from 1 to 1000"
    message = f"fan_out is {short_repr(value)}, but it must be {accepted}."
    assert response.json() == {"error": {"type": "bad_request", "message": message}}


async def test_number_of_calls_is_limited_by_the_settings(
    async_client: AsyncClient, settings: Settings
) -> None:
    settings.AGGREGATOR_MAX_FAN_OUT = 10
    response = await async_client.get(AGGREGATED, {"fan_out": "11"})
    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "fan_out is '11', but it must be a whole number from 1 to 10."
    )


async def test_calls_are_concurrent_and_answered_in_order(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_FAN_OUT = 50
    async with serve_upstream(barrier(50, echo)) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = f"{upstream.url}?token=secret"
        answer = (await get(server + AGGREGATED)).json()
    assert upstream.most_in_flight == 50
    assert answer["responses"] == echoes(50)
    assert {call.target.split("&")[0] for call in upstream.calls} == {"/?token=secret"}


async def test_concurrent_calls_are_bounded(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_FAN_OUT = 20
    settings.AGGREGATOR_CONCURRENCY = 4
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        answer = (await get(server + AGGREGATED)).json()
    assert upstream.most_in_flight <= 4
    assert upstream.connections <= 4
    assert answer["responses"] == echoes(20)


async def test_a_thousand_calls_are_all_answered(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_FAN_OUT = 1000
    settings.AGGREGATOR_CONCURRENCY = 10
    settings.AGGREGATOR_DEADLINE = settings.AGGREGATOR_TIMEOUT = 300.0
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        answer = (await get(server + AGGREGATED)).json()
    assert answer["responses"] == echoes(1000)
    assert "errors" not in answer


async def test_connections_are_kept_between_requests(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_FAN_OUT = 5
    async with serve_upstream(barrier(5, echo)) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        for _ in range(4):
            assert (await get(server + AGGREGATED)).json()["responses"] == echoes(5)
    assert len(upstream.calls) == 20
    assert upstream.connections == 5


async def test_no_database_connection_is_opened(server: str, settings: Settings) -> None:
    opened: list[Any] = []

    def count(**kwargs: Any) -> None:
        opened.append(kwargs["connection"])

    connection_created.connect(count)
    try:
        async with serve_upstream(echo) as upstream:
            settings.AGGREGATOR_UPSTREAM_URL = upstream.url
            assert (await get(server + AGGREGATED)).status_code == 200
    finally:
        connection_created.disconnect(count)
    assert not opened


async def test_disconnect_ends_the_calls(server: str, settings: Settings) -> None:
    all_in = asyncio.Event()

    async def hang(call: Call) -> None:
        if upstream.in_flight == 10:
            all_in.set()
        await call.closed()

    async with serve_upstream(hang) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        request = asyncio.create_task(get(server + AGGREGATED))
        await all_in.wait()
        request.cancel()
        await upstream.all_closed.wait()
    assert upstream.connections == 10


async def test_bodies_are_passed_on_unchanged(server: str, settings: Settings) -> None:
    bodies = [b"1e400", b'"\\ud800"', b'{"a":1, "a":2}', b"[" * 900 + b"]" * 900]

    async def answer(call: Call) -> None:
        await call.reply(bodies[task_id(call)])

    settings.AGGREGATOR_FAN_OUT = len(bodies)
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    assert response.status_code == 200
    assert response.content.startswith(b'{"responses": [%b], ' % b", ".join(bodies))


async def test_requests_beyond_the_rate_limit_get_429(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (2, 3600)
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        responses = [await get(server + AGGREGATED) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].json()["error"]["type"] == "rate_limited"
    assert len(upstream.calls) == 20


@pytest.mark.django_db(transaction=True)
async def test_aggregations_can_require_a_login(settings: Settings) -> None:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [  # type: ignore[attr-defined]
        path("", authenticated(views.api_aggregated))
    ]
    settings.ROOT_URLCONF = urlconf
    client = AsyncClient()
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        assert (await client.get("/")).status_code == 401
        assert not upstream.calls
        await client.aforce_login(await User.objects.acreate(username="ada"))
        assert (await client.get("/")).status_code == 200


# One-off event loops


@pytest.mark.usefixtures("transport")
async def test_async_test_client_gets_every_response(settings: Settings) -> None:
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        for _ in range(2):
            response = await AsyncClient().get(AGGREGATED)
            assert json.loads(response.content)["responses"] == echoes(10)
            await upstream.all_closed.wait()


@pytest.mark.usefixtures("transport")
async def test_each_request_may_have_its_own_loop(settings: Settings) -> None:
    """As under WSGI and in the sync test client: the event loop ends with the view."""
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        for _ in range(2):
            response = await asyncio.to_thread(Client().get, AGGREGATED)
            assert json.loads(response.content)["responses"] == echoes(10)
            await upstream.all_closed.wait()

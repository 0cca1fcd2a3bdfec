import asyncio
import json
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


@pytest.mark.parametrize("value", ["0", "1001", "-1", "1.5", "ten", "", "007", "²", "9" * 5000])
async def test_bad_number_of_calls_is_refused_in_one_sentence(
    async_client: AsyncClient, value: str
) -> None:
    response = await async_client.get(AGGREGATED, {"fan_out": value})
    assert response.status_code == 400
    accepted = "a whole number from 1 to 1000"
    message = f"fan_out is {short_repr(value)}, but it must be {accepted}."
    assert response.json() == {"error": {"type": "bad_request", "message": message}}


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

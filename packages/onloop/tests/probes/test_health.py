"""Liveness and readiness."""

import asyncio
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import include, path
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.probes import health
from onloop.testing import TLS, fetch, serve_app
from tests.http.calls import closed_port
from tests.services.polling import eventually
from tests.tasks.workers import database_down


async def test_healthz_asks_no_database() -> None:
    response = await AsyncClient().get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.django_db
async def test_readyz_asks_the_database() -> None:
    response = await AsyncClient().get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "parts": {"database": "ok"}}


@pytest.mark.django_db(transaction=True)
async def test_readyz_names_the_part_that_is_away() -> None:
    with database_down():
        response = await AsyncClient().get("/readyz")
        alive = await AsyncClient().get("/healthz")

    assert response.status_code == 503
    assert response.json() == {"status": "unavailable", "parts": {"database": "unreachable"}}
    assert alive.status_code == 200


@pytest.mark.django_db
async def test_readyz_without_redis_is_degraded_and_still_ready(
    redis_url: str, settings: Settings
) -> None:
    settings.REDIS_URL = redis_url
    response = await AsyncClient().get("/readyz")
    assert response.json()["parts"] == {"database": "ok", "redis": "ok"}
    assert response.json()["status"] == "ok"

    settings.REDIS_URL = f"redis://127.0.0.1:{closed_port()}/0"
    response = await AsyncClient().get("/readyz")
    assert response.json()["parts"] == {"database": "ok", "redis": "unreachable"}
    assert response.json()["status"] == "degraded"
    assert response.status_code == 200


@pytest.mark.django_db(transaction=True)
async def test_requests_that_hold_every_thread_leave_the_process_ready(settings: Settings) -> None:
    """Two hold the only thread and wait for it, and `/readyz` says so."""
    go_on = threading.Event()

    def wait(request: HttpRequest) -> HttpResponse:
        go_on.wait()
        return HttpResponse("done")

    urlconf: Any = ModuleType("urlconf")
    urlconf.urlpatterns = [path("wait/", wait), path("", include("onloop.probes.urls"))]
    settings.ROOT_URLCONF = urlconf
    settings.SYNC_THREADS = 1
    app = ProtocolRouter(http=EventLoopASGIHandler(), lifespan=Lifespan())
    with serve_app(app) as url:
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            assert (await client.get("/readyz")).json()["parts"] == {"database": "ok"}
            waiting = [asyncio.create_task(client.get("/wait/")) for _ in range(2)]

            async def busy() -> bool:
                response = await client.get("/readyz")
                assert response.status_code == 200
                return bool(response.json()["parts"] == {"database": "busy"})

            try:
                await eventually(busy)
            finally:
                go_on.set()
            assert [answer.text for answer in await asyncio.gather(*waiting)] == ["done"] * 2


@pytest.mark.django_db
async def test_probes_that_come_together_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []

    async def run(function: Callable[[], None]) -> None:
        looks.append(1)
        await original(function)

    original = health.database.run
    monkeypatch.setattr(health.database, "run", run)

    client = AsyncClient()
    answers = await asyncio.gather(*(client.get("/readyz") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) < 20


@pytest.mark.django_db(transaction=True)
def test_probes_over_plain_http_are_not_redirected(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    app = ProtocolRouter(http=EventLoopASGIHandler(), lifespan=Lifespan())
    with serve_app(app) as url:
        answers = [fetch(f"{url}{path}") for path in ("/healthz", "/readyz", "/")]

    assert [answer.status_code for answer in answers] == [200, 200, 301]

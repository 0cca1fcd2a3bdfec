"""Liveness and readiness."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from onloop.probes import health
from onloop.testing import TLS, fetch, serve_process
from tests.http.calls import closed_port
from tests.services.polling import eventually


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


def test_readyz_names_the_part_that_is_away(tmp_path: Path) -> None:
    with serve_process(DATABASE_URL=f"sqlite:///{tmp_path}/no-such-folder/db.sqlite3") as (_, url):
        response = fetch(f"{url}/readyz")
        alive = fetch(f"{url}/healthz")

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


async def test_requests_that_hold_every_thread_leave_the_process_ready() -> None:
    """Two hold the only thread and wait for it, and `/readyz` says so."""
    options = ("--timeout-graceful-shutdown", "1")
    app = "tests.probes.waiting_views:application"
    with serve_process(*options, app=app, SYNC_THREADS="1") as (_, url):
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            assert (await client.get("/readyz")).json()["parts"] == {"database": "ok"}
            slow = [asyncio.create_task(client.get("/wait/")) for _ in range(2)]

            async def busy() -> bool:
                response = await client.get("/readyz")
                assert response.status_code == 200
                return bool(response.json()["parts"] == {"database": "busy"})

            await eventually(busy)
            for task in slow:
                task.cancel()
            await asyncio.wait(slow)


@pytest.mark.django_db
async def test_probes_that_come_together_share_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []

    async def run(function: Callable[[], None]) -> None:
        looks.append(1)
        await original(function)

    original = health.database.run
    monkeypatch.setattr(health.database, "run", run)

    answers = await asyncio.gather(*(AsyncClient().get("/readyz") for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(looks) < 20


def test_probes_over_plain_http_are_not_redirected() -> None:
    with serve_process(HTTPS_ONLY="true") as (_, url):
        assert fetch(f"{url}/healthz").status_code == 200
        assert fetch(f"{url}/readyz").status_code in {200, 503}
        assert fetch(f"{url}/").status_code == 301

"""Liveness and readiness."""

from pathlib import Path

import pytest
from django.test import AsyncClient
from pytest_django import Settings

from tests.runtime.calls import closed_port
from tests.servers import fetch, serve_process


async def test_healthz_asks_no_database() -> None:
    response = await AsyncClient().get("/healthz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok"}
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.django_db
async def test_readyz_asks_the_database() -> None:
    response = await AsyncClient().get("/readyz")

    assert response.status_code == 200
    assert response.json() == {"status": "ok", "parts": {"database": "ok"}, "circuits": {}}


def test_readyz_names_the_part_that_is_away(tmp_path: Path) -> None:
    with serve_process(DATABASE_URL=f"sqlite:///{tmp_path}/no-such-folder/db.sqlite3") as (_, url):
        response = fetch(f"{url}/readyz")
        alive = fetch(f"{url}/healthz")

    assert response.status_code == 503
    assert response.json() == {
        "status": "unavailable",
        "parts": {"database": "unreachable"},
        "circuits": {},
    }
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


def test_probes_over_plain_http_are_not_redirected() -> None:
    with serve_process(HTTPS_ONLY="true") as (_, url):
        assert fetch(f"{url}/healthz").status_code == 200
        assert fetch(f"{url}/readyz").status_code in {200, 503}
        assert fetch(f"{url}/").status_code == 301

"""The sync API, which stands in for an upstream."""

import asyncio
import threading

import httpx
import pytest
from django.test import Client
from pytest_django import Settings

SYNC = "/sync/api/"


@pytest.mark.parametrize(
    ("query", "expected"), [("?task_id=07", "07"), ("?task_id=", ""), ("", None)]
)
def test_sync_api_returns_the_task_id(
    client: Client, settings: Settings, query: str, expected: str | None
) -> None:
    settings.SYNC_API_DELAY = 0

    assert client.get(SYNC + query).json() == {"message": "Hello World!", "task_id": expected}


def test_sync_api_sleeps(
    client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("upstream.views.sleep", naps.append)
    settings.SYNC_API_DELAY = 1.5

    client.get(SYNC)

    assert naps == [1.5]


async def test_calls_do_not_wait_for_threads(
    server: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(settings.SYNC_THREADS + 1)
    monkeypatch.setattr("upstream.views.sleep", lambda seconds: together.wait(10))

    async with httpx.AsyncClient() as client:
        calls = [client.get(server + SYNC) for _ in range(together.parties)]
        responses = await asyncio.gather(*calls)

    assert {response.status_code for response in responses} == {200}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_get_405(client: Client, method: str) -> None:
    response = client.generic(method, SYNC)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")

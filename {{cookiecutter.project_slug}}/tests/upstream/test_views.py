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


@pytest.fixture
def naps(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return how long the sync API slept, without waiting for it."""
    naps: list[float] = []
    monkeypatch.setattr("upstream.views.sleep", naps.append)
    settings.SYNC_API_DELAY = 1.5
    return naps


@pytest.mark.parametrize("query", ["", "?delay=9&fail=1", "?delay=long&fail=often"])
def test_sync_api_sleeps_as_set(client: Client, naps: list[float], query: str) -> None:
    assert client.get(SYNC + query).status_code == 200
    assert naps == [1.5]


@pytest.mark.parametrize(
    ("query", "nap"),
    [("", 1.5), ("?delay=0", 0), ("?delay=10", 10), ("?delay=1-2&task_id=8", 1.944)],
)
def test_query_sets_the_delay_in_development(
    client: Client, settings: Settings, naps: list[float], query: str, nap: float
) -> None:
    settings.DEBUG = True

    client.get(SYNC + query)

    assert naps == [pytest.approx(nap, abs=0.001)]


@pytest.mark.parametrize(("share", "failures"), [("0", 0), ("0.2", 2), ("0.5", 5), ("1", 10)])
def test_share_of_the_calls_fails_in_development(
    client: Client, settings: Settings, share: str, failures: int
) -> None:
    settings.DEBUG = True
    queries = [f"?delay=0&fail={share}&task_id={task_id}" for task_id in range(10)]

    statuses = [[client.get(SYNC + query).status_code for query in queries] for _ in range(2)]

    assert statuses[0].count(503) == failures
    assert statuses[0] == statuses[1]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("delay=11", "delay is '11', but it must be seconds from 0 to 10, such as 0.5"),
        ("delay=2-1", "delay is '2-1', but it must be seconds"),
        ("delay=-1", "delay is '-1', but it must be seconds"),
        ("delay=nan", "delay is 'nan', but it must be seconds"),
        ("delay=", "delay is '', but it must be seconds"),
        ("fail=1.1", "fail is '1.1', but it must be a share from 0 to 1, such as 0.2."),
    ],
)
def test_bad_delay_or_share_gets_400(
    client: Client, settings: Settings, query: str, message: str
) -> None:
    settings.DEBUG = True

    response = client.get(f"{SYNC}?{query}")

    assert response.status_code == 400
    assert response.json()["error"]["type"] == "bad_request"
    assert response.json()["error"]["message"].startswith(message)


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

"""The sync API, which stands in for an upstream."""

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
    monkeypatch.setattr("time.sleep", naps.append)
    settings.SYNC_API_DELAY = 1.5

    client.get(SYNC)

    assert naps == [1.5]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_other_methods_get_405(client: Client, method: str) -> None:
    response = client.generic(method, SYNC)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")

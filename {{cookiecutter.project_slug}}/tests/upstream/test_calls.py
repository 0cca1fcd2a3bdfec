import json
import tracemalloc

import pytest
from httpx import ConnectError
from pytest_django import Settings

from upstream.calls import answer_json, outcome_json, task_urls
from upstream.upstreams import aggregated_url


def test_upstream_is_our_own_sync_api_without_a_setting(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onloop.asgi.routing._served_port", None)
    settings.PORT = 1234
    settings.AGGREGATOR_UPSTREAM_URL = ""
    assert aggregated_url() == "http://127.0.0.1:1234/sync/api/"
    settings.AGGREGATOR_UPSTREAM_URL = "https://example.com/"
    assert aggregated_url() == "https://example.com/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/", "http://example.com/?task_id=1"),
        ("http://example.com", "http://example.com?task_id=1"),
        ("http://example.com/a?sig=a%2Fb+c", "http://example.com/a?sig=a%2Fb+c&task_id=1"),
        ("http://[::1]:8000/?task_id=9", "http://[::1]:8000/?task_id=9&task_id=1"),
    ],
)
def test_task_id_is_added_to_the_query(url: str, expected: str) -> None:
    assert task_urls(url, 2)[1] == expected


def test_urls_are_built_once() -> None:
    url = "http://example.com/prepared"
    assert task_urls(url, 3) is task_urls(url, 3)
    assert len(task_urls(url, 4)) == 4


def test_outcome_becomes_json() -> None:
    assert outcome_json(3, b'{"a":1}') == b'{"a":1}'
    assert json.loads(outcome_json(3, ConnectError("No."))) == {
        "task_id": 3,
        "error": {"type": "connect_error", "message": "No."},
    }


def test_response_copies_each_body_once() -> None:
    outcomes = [b'"%b"' % (b"x" * 100_000)] * 10
    tracemalloc.start()
    try:
        answer = answer_json([*outcomes, ConnectError("No.")], {"errors": 1})
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert json.loads(answer)["responses"][10]["error"]["type"] == "connect_error"
    assert json.loads(answer)["errors"] == 1
    assert len(answer) < most < 1.5 * len(answer)

import asyncio
import json
import tracemalloc
from functools import partial

import pytest
from pytest_django import Settings

from aggregator.upstream import (
    LARGE_BODY,
    answer_json,
    fetch_json,
    outcome_json,
    task_urls,
    upstream_url,
)
from onloop.http import BadResponseError, ConnectError, http_client
from onloop.testing import Call, serve_upstream


def test_upstream_is_our_own_sync_api_unless_a_setting_names_another(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onloop.asgi.routing._served_port", None)
    settings.PORT = 1234
    settings.AGGREGATOR_UPSTREAM_URL = ""
    assert upstream_url() == "http://127.0.0.1:1234/sync/api/"
    settings.AGGREGATOR_UPSTREAM_URL = "https://example.com/"
    assert upstream_url() == "https://example.com/"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/", "http://example.com/?task_id=1"),
        ("http://example.com", "http://example.com?task_id=1"),
        ("http://example.com/a?sig=a%2Fb+c", "http://example.com/a?sig=a%2Fb+c&task_id=1"),
        ("http://[::1]:8000/?task_id=9", "http://[::1]:8000/?task_id=9&task_id=1"),
    ],
)
def test_task_id_is_added_to_the_query_string(url: str, expected: str) -> None:
    assert task_urls(url, 2)[1] == expected


def test_urls_are_prepared_once() -> None:
    url = "http://example.com/prepared"
    assert task_urls(url, 3) is task_urls(url, 3)
    assert len(task_urls(url, 4)) == 4


async def fetch(body: bytes) -> bytes:
    async def answer(call: Call) -> None:
        await call.reply(body)

    async with serve_upstream(answer) as upstream, http_client() as client:
        get = partial(client.get, timeout=30, max_bytes=1_000_000)
        return await fetch_json(get, upstream.url)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b' [1, "\xc3\xa9", null]\n',
        rb'"\ud800"',
        rb'"\uDC00\uD800 \ud83d\ude00 \\ud800"',
        b"1e400",
        b"1" * 5_000,
        b"[" * 500 + b"]" * 500,
        b"[" + b"[],1," * 50_000 + b"{}]",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_json_is_passed_on_as_it_was_written(body: bytes) -> None:
    assert await fetch(body) == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!doctype html><title>Sign in</title>",
        b'{"cut": ',
        b"{} {}",
        b"NaN",
        b"[-Infinity]",
        b'"\xff"',
        b"\xef\xbb\xbf{}",
        '{"message": "hello"}'.encode("utf-16"),
        b"[" * 200_000,
        rb'"\ud80"',
        rb'"\\\ud8"',
        b'{"a": ' * 160_000,
        b"[" + b"1," * 50_000 + b"]",
    ],
    ids=lambda body: repr(body[:12]),
)
async def test_what_is_not_json_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(BadResponseError, match=r"^The server's answer is not JSON\.$"):
        await fetch(body)


async def test_large_bodies_are_checked_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many come together, the loop goes on between one check and the next."""
    turns, checked_in = 0, []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def decode(body: bytes) -> None:
        checked_in.append(turns)

    async def get(url: str) -> bytes:
        return b" " * LARGE_BODY

    monkeypatch.setattr("aggregator.upstream._decode", decode)
    counting = asyncio.create_task(count_turns())
    await asyncio.gather(*(fetch_json(get, "") for _ in range(20)))
    counting.cancel()
    assert len(set(checked_in)) == 20


def test_outcome_in_the_answer() -> None:
    assert outcome_json(3, b'{"a":1}') == b'{"a":1}'
    assert json.loads(outcome_json(3, ConnectError("No."))) == {
        "task_id": 3,
        "error": {"type": "connect_error", "message": "No."},
    }


def test_answer_is_one_copy_of_the_bodies() -> None:
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

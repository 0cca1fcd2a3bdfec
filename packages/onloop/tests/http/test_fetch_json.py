import asyncio
from functools import partial

import httpx
import pytest

from onloop.http import fetch_json
from onloop.http.json_body import _LARGE_BODY
from onloop.testing import Call, serve_upstream
from tests.http.calls import declare


async def fetch(body: bytes) -> bytes:
    async def answer(call: Call) -> None:
        await call.reply(body)

    async with serve_upstream(answer) as upstream:
        get = partial(declare(upstream.url).get_body, timeout=30, max_bytes=1_000_000)
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
async def test_any_other_body_is_a_bad_response(body: bytes) -> None:
    with pytest.raises(httpx.DecodingError, match=r"^The server's answer is not JSON\.$"):
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
        return b" " * _LARGE_BODY

    monkeypatch.setattr("onloop.json_text._decode", decode)
    counting = asyncio.create_task(count_turns())
    await asyncio.gather(*(fetch_json(get, "") for _ in range(20)))
    counting.cancel()
    assert len(set(checked_in)) == 20

"""The servers that `onloop.testing` gives to tests."""

import asyncio
from typing import Any

import httpx
import pytest

from onloop.testing import TLS, Call, Upstream, barrier, serve_app, serve_upstream


async def test_upstream_answers_what_a_test_writes(upstream: Upstream) -> None:
    async def answer(call: Call) -> None:
        await call.reply(b"not here", "404 Not Found", "X-Target: " + call.target)

    async with httpx.AsyncClient(base_url=upstream.url, trust_env=False, verify=TLS) as client:
        before = await client.get("/prices")
        upstream.answer = answer
        after = await client.get("/prices", headers={"X-Colour": "blue"})

    assert (before.status_code, before.json()) == (200, {})
    assert (after.status_code, after.text) == (404, "not here")
    assert after.headers["x-target"] == "/prices"
    assert upstream.calls[1].headers["x-colour"] == "blue"


def test_application_that_does_not_start_is_an_error() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "No."})

    with pytest.raises(RuntimeError, match="did not start"), serve_app(app):
        raise AssertionError


async def test_barrier_answers_once_all_calls_are_there() -> None:
    targets: list[str] = []

    async def answer(call: Call) -> None:
        targets.append(call.target)
        await call.reply()

    async with serve_upstream(barrier(3, answer)) as upstream:
        async with httpx.AsyncClient(verify=TLS, timeout=60) as client:
            await asyncio.gather(*(client.get(f"{upstream.url}{number}") for number in range(3)))
        assert upstream.most_in_flight == 3

    assert [call.target for call in upstream.calls] == targets[::-1]

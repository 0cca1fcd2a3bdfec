"""The servers that `onloop.testing` gives to tests."""

from typing import Any

import httpx
import pytest

from onloop.testing import TLS, Call, Upstream, serve_app


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

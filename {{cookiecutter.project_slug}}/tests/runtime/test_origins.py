import asyncio

import pytest
from django.test import AsyncClient
from pytest_django import Settings

from runtime.breaker import CircuitOpenError
from runtime.http import BadResponseError, ConnectError, http_client, shared_http_client
from runtime.origins import circuits, origin_of
from tests.runtime.calls import closed_port, hello
from tests.servers import Call, serve_upstream


async def get(url: str) -> bytes:
    until = asyncio.get_running_loop().time() + 100
    async with http_client() as client:
        return await origin_of(url).get(client, url, timeout=30, max_bytes=1000, until=until)


async def broken(call: Call) -> None:
    await call.reply(b"{}", "500 Internal Server Error")


def test_origin_is_scheme_host_and_port() -> None:
    origin = origin_of("http://example.com/a?b=c")
    assert origin_of("HTTP://Example.com/d") is origin
    assert origin_of("http://ada:secret@example.com/") is origin
    for other in ("https://example.com/", "http://example.com:8000/", "http://www.example.com/"):
        assert origin_of(other) is not origin
    assert circuits() == {
        "http://example.com": "closed",
        "https://example.com": "closed",
        "http://example.com:8000": "closed",
        "http://www.example.com": "closed",
    }


@pytest.mark.usefixtures("transport")
async def test_get() -> None:
    async with serve_upstream(hello) as upstream:
        assert await get(f"{upstream.url}path?a=b") == b'"hello"'
    assert [call.target for call in upstream.calls] == ["/path?a=b"]


@pytest.mark.parametrize("retries", [0, 3])
async def test_retries_are_a_setting(settings: Settings, retries: int) -> None:
    settings.HTTP_RETRIES = retries
    async with serve_upstream(broken) as upstream:
        with pytest.raises(BadResponseError):
            await get(upstream.url)
    assert len(upstream.calls) == 1 + retries


async def test_open_circuit_answers_at_once_and_is_shown(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    async with serve_upstream(broken) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
        with pytest.raises(CircuitOpenError):
            await get(upstream.url)
    assert len(upstream.calls) == 20
    assert circuits() == {upstream.url.rstrip("/"): "open"}


async def test_each_origin_has_a_circuit_of_its_own(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    dead = f"http://127.0.0.1:{closed_port()}/"
    async with serve_upstream(hello) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(ConnectError):
                await get(dead)
        with pytest.raises(CircuitOpenError):
            await get(dead)
        assert await get(upstream.url) == b'"hello"'


async def test_circuit_may_be_kept_closed(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    settings.HTTP_BREAKER_PERCENT = 0
    async with serve_upstream(broken) as upstream, shared_http_client():
        for _ in range(40):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
    assert len(upstream.calls) == 40


@pytest.mark.django_db
async def test_open_circuit_is_a_detail_of_readiness(settings: Settings) -> None:
    settings.HTTP_RETRIES = 0
    async with serve_upstream(broken) as upstream, shared_http_client():
        for _ in range(20):
            with pytest.raises(BadResponseError):
                await get(upstream.url)
    response = await AsyncClient().get("/readyz")
    assert response.status_code == 200
    assert response.json()["circuits"] == {upstream.url.rstrip("/"): "open"}


@pytest.mark.usefixtures("transport")
async def test_hedged_call_leaves_no_connection_to_the_slow_copy(settings: Settings) -> None:
    settings.HTTP_HEDGING = True
    slow = iter(["first copy"])
    left = asyncio.Event()

    async def hang_once(call: Call) -> None:
        if call.target == "/slow" and next(slow, None):
            await call.closed()
            left.set()
        else:
            await hello(call)

    async with serve_upstream(hang_once) as upstream, shared_http_client():
        for _ in range(50):
            await get(upstream.url)
        assert origin_of(upstream.url).hedge.delay is not None
        assert await get(f"{upstream.url}slow") == b'"hello"'
        await left.wait()
    assert [call.target for call in upstream.calls].count("/slow") == 2


async def test_hedging_is_off_unless_asked_for() -> None:
    async with serve_upstream(hello) as upstream, shared_http_client():
        for _ in range(60):
            await get(upstream.url)
    assert origin_of(upstream.url).hedge.delay is None

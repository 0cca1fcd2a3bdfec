"""Streams through a real server: clients that leave, that do not read, and that wait."""

import asyncio
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from pytest_django import Settings

from onloop.testing import TLS
from tests.stream_urls import Source, sources


@pytest.fixture(autouse=True)
def _streams(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.stream_urls"


@pytest.fixture
def name() -> str:
    return uuid4().hex


async def until_closed(source: Source) -> None:
    assert await asyncio.to_thread(source.closed.wait, 30)


async def test_client_that_leaves_closes_the_source(server: str, name: str) -> None:
    async with httpx.AsyncClient(verify=TLS).stream("GET", f"{server}/silent/{name}/") as response:
        text = response.aiter_text()
        assert await anext(text) == "event: message\ndata: hello\n\n"
        assert not sources[name].closed.is_set()
    await until_closed(sources[name])


async def test_idle_stream_is_kept_open_by_comments(server: str, name: str) -> None:
    url = f"{server}/silent/{name}/?heartbeat=0.01"
    async with httpx.AsyncClient(verify=TLS).stream("GET", url) as response:
        lines = response.aiter_lines()
        seen = [await anext(lines) for _ in range(7)]
    assert seen == ["event: message", "data: hello", "", ": still here", "", ": still here", ""]


async def test_reader_that_does_not_read_stops_its_source(server: str, name: str) -> None:
    """While another client takes a thousand events, this one's source is asked for few."""
    address = urlsplit(server)
    idle, writer = await asyncio.open_connection(address.hostname, address.port, limit=1024)
    writer.write(f"GET /eager/{name}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert await idle.readline() == b"HTTP/1.1 200 OK\r\n"

    received = 0
    async with httpx.AsyncClient(verify=TLS).stream("GET", f"{server}/eager/{name}-2/") as response:
        async for chunk in response.aiter_bytes():
            received += len(chunk)
            if received >= 1000 * 65_536:
                break

    assert sources[f"{name}-2"].produced >= 1000
    assert sources[name].produced < 500
    assert not sources[name].closed.is_set()
    writer.transport.abort()
    await until_closed(sources[name])

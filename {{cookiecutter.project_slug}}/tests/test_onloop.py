"""What the project relies on `onloop` for, and that its copy is intact."""

from contextlib import AsyncExitStack

import httpx
import pytest
from django import get_version
from pytest_django import Settings

from onloop import TESTED_DJANGO, seal
from onloop.testing import fetch, serve_process


@pytest.fixture(autouse=True)
def _contract_views(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.contract_views"


async def test_async_view_makes_no_hop(server: str, hops: list[str]) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{server}/hello/")).text == "hello"
    assert not hops


async def test_open_streams_hold_no_thread(server: str, hops: list[str]) -> None:
    async with httpx.AsyncClient() as client, AsyncExitStack() as streams:
        for _ in range(20):
            response = await streams.enter_async_context(client.stream("GET", f"{server}/stream/"))
            assert (await anext(response.aiter_text())).startswith("event: first")
    assert not hops


async def test_stopping_server_ends_its_streams() -> None:
    application = "tests.contract_views:application"
    with serve_process("--factory", app=application) as (server, url):
        assert fetch(f"{url}/hello/").text == "hello"
        async with (
            httpx.AsyncClient() as client,
            client.stream("GET", f"{url}/stream/") as response,
        ):
            parts = response.aiter_text()
            assert (await anext(parts)).startswith("event: first")
            server.terminate()
            assert "".join([part async for part in parts]) == "retry: 2000\n\n"


def test_django_version_is_one_that_onloop_was_tested_with() -> None:
    assert get_version().startswith(tuple(f"{series}." for series in TESTED_DJANGO))


def test_seal_is_intact_or_removed() -> None:
    assert seal.differences() == [], "Do not edit onloop/: override it, or run `make eject`."

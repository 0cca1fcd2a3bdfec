import threading
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from pytest_django import Settings

from config.asgi import application
from tests.servers import serve_app

pytest_plugins = ["tests.services", "tests.redis_server"]

PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(autouse=True)
def _nothing_known_of_any_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onloop.http.origins._origins", {})


@pytest.fixture(autouse=True)
def _nothing_counted_of_any_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onloop.rate_limit._full", {})
    monkeypatch.setattr("onloop.rate_limit._redis_away_until", 0.0)


@pytest.fixture(params=["aiohttp", "httpx"])
def transport(request: pytest.FixtureRequest, settings: Settings) -> str:
    """Run the test on each HTTP transport."""
    settings.HTTP_TRANSPORT = request.param
    return str(request.param)


@pytest.fixture(scope="session")
def live_url() -> Iterator[str]:
    """The URL of the project, served by one real uvicorn for all tests."""
    with serve_app(application) as url:
        yield url


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The functions that went through sync_to_async() and the threads that were started."""
    hops: list[str] = []
    call, start = SyncToAsync.__call__, threading.Thread.start

    async def counted_call(self: SyncToAsync[..., Any], *args: Any, **kwargs: Any) -> Any:
        hops.append(f"sync_to_async({self.func!r})")
        return await call(self, *args, **kwargs)

    def counted_start(self: threading.Thread) -> None:
        hops.append(f"start of the thread {self.name}")
        start(self)

    monkeypatch.setattr(SyncToAsync, "__call__", counted_call)
    monkeypatch.setattr(threading.Thread, "start", counted_start)
    return hops

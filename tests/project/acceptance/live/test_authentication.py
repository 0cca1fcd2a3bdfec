"""Runs for users who are logged in, protected as docs/running.md describes."""

from collections.abc import Iterator
from types import ModuleType

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path
from live import views
from live.websocket import RunsConversation
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.websockets import WebSocketRouter
from onloop.authentication import authenticated, authenticated_websocket
from onloop.observe import observed
from onloop.testing import serve_app, serve_upstream
from pytest_django import Settings
from websockets.exceptions import InvalidStatus

from tests.acceptance.clients import connected, parse
from tests.answers import echo

User = get_user_model()


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [  # type: ignore[attr-defined]
        path("stream/", authenticated(views.api_stream)),
        path("runs/<str:run>/", authenticated(views.run_stream)),
    ]
    settings.ROOT_URLCONF = urlconf
    socket = path("ws/aggregate/", authenticated_websocket(RunsConversation.serve))  # type: ignore[arg-type]
    application = ProtocolRouter(
        http=observed(EventLoopASGIHandler()),
        websocket=observed(WebSocketRouter([socket])),
        lifespan=Lifespan(),
    )
    with serve_app(application) as url:
        yield url


async def test_anonymous_client_is_refused(url: str) -> None:
    async with httpx.AsyncClient(base_url=url) as client:
        for target in ("/stream/", "/runs/0123456789abcdef/"):
            assert (await client.get(target)).status_code == 401
    with pytest.raises(InvalidStatus):
        async with connected(url):
            pass


@pytest.mark.django_db(transaction=True)
async def test_user_starts_and_follows_runs(url: str, settings: Settings) -> None:
    browser = Client()
    await browser.aforce_login(await User.objects.acreate(username="ada"))
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    async with (
        serve_upstream(echo) as upstream,
        httpx.AsyncClient(base_url=url, headers=cookie, timeout=60) as client,
        connected(url, additional_headers=cookie) as socket,
    ):
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await socket.start(1)
        await socket.receive_until("done")
        for target in ("/stream/?fan_out=1", f"/runs/{run}/"):
            events = parse((await client.get(target)).text)
            assert [event["event"] for event in events] == ["start", "result", "done"]

"""Views and WebSockets that only users who are logged in may use."""

import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.http import HttpRequest, JsonResponse
from django.test import Client
from django.urls import path
from pytest_django import Settings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.asgi.websockets import WebSocketRouter
from onloop.authentication import authenticated, authenticated_websocket
from onloop.observe import observed
from onloop.testing import TLS, serve_app

User = get_user_model()


@authenticated
async def view(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse({"user": (await request.auser()).get_username(), "number": number})


@authenticated_websocket
async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": json.dumps({"user": str(scope["user"])})})
    await send({"type": "websocket.close"})


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [path("view/<int:number>/", view)]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urlconf
    routes: Any = [path("ws/", socket)]  # type: ignore[arg-type]
    application = ProtocolRouter(
        http=observed(EventLoopASGIHandler()),
        websocket=observed(WebSocketRouter(routes)),
        lifespan=Lifespan(),
    )
    with serve_app(application) as url:
        yield url


@pytest.fixture
def cookie(transactional_db: None) -> dict[str, str]:
    """The header of a client that is logged in."""
    client = Client()
    client.force_login(User.objects.create(username="ada"))
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


async def ask(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, headers=headers, verify=TLS) as client:
        return await client.get(f"{url}/view/7/")


async def hear(url: str, **headers: str) -> dict[str, Any]:
    address = f"{url.replace('http', 'ws', 1)}/ws/"
    async with connect(address, proxy=None, additional_headers=headers) as connection:
        told: dict[str, Any] = json.loads(await connection.recv())
        return told


async def test_anonymous_client_of_a_view_gets_401_and_its_check_takes_no_thread(
    url: str, hops: list[str]
) -> None:
    response = await ask(url)

    assert response.status_code == 401
    assert response.json() == {"error": {"type": "unauthenticated", "message": "Log in first."}}
    assert response.headers["WWW-Authenticate"] == "Session"
    assert hops == []


async def test_user_of_a_view_is_let_in(url: str, cookie: dict[str, str]) -> None:
    response = await ask(url, **cookie)

    assert (response.status_code, response.json()) == (200, {"user": "ada", "number": 7})


async def test_anonymous_websocket_is_refused_without_a_thread(url: str, hops: list[str]) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await hear(url)

    assert refusal.value.response.status_code == 403
    assert hops == []


async def test_user_of_a_websocket_is_let_in(url: str, cookie: dict[str, str]) -> None:
    assert await hear(url, **cookie) == {"user": "ada"}


@pytest.mark.django_db(transaction=True)
async def test_session_that_has_ended_is_anonymous(url: str, cookie: dict[str, str]) -> None:
    await sync_to_async(User.objects.all().delete)()

    assert (await ask(url, **cookie)).status_code == 401
    with pytest.raises(InvalidStatus):
        await hear(url, **cookie)

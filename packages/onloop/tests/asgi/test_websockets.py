"""Which WebSockets are opened, and what they know of the user."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import path
from pytest_django import Settings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.asgi.websockets import WebSocketRouter, installed_routes, is_allowed
from onloop.observe import observed
from onloop.testing import serve_app
from tests.asgi.handler.exchange import access_log
from tests.services.polling import eventually

User = get_user_model()


async def who(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the user's name, and what the session holds."""
    await receive()
    await send({"type": "websocket.accept"})
    told = {"user": str(scope["user"]), "session": bool(scope["session"].session_key)}
    await send({"type": "websocket.send", "text": json.dumps(told)})
    await send({"type": "websocket.close"})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    routes: Any = [path("ws/who/", who)]  # type: ignore[arg-type]
    application = ProtocolRouter(websocket=observed(WebSocketRouter(routes)), lifespan=Lifespan())
    with serve_app(application) as url:
        yield url.replace("http", "ws")


async def ask(url: str, **options: Any) -> dict[str, Any]:
    async with connect(f"{url}/ws/who/", proxy=None, **options) as connection:
        told: dict[str, Any] = json.loads(await connection.recv())
        return told


async def test_without_a_session_cookie_nobody_and_no_thread(url: str, hops: list[str]) -> None:
    assert await ask(url) == {"user": "AnonymousUser", "session": False}
    cookie = {"Cookie": "csrftoken=abc; theme=dark"}
    assert await ask(url, additional_headers=cookie) == {"user": "AnonymousUser", "session": False}
    assert not hops


@pytest.mark.django_db(transaction=True)
async def test_user_of_the_session(url: str) -> None:
    user = await User.objects.acreate(username="ada")
    client = Client()
    await sync_to_async(client.force_login)(user)
    cookie = {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}
    assert await ask(url, additional_headers=cookie) == {"user": "ada", "session": True}
    await user.adelete()
    assert (await ask(url, additional_headers=cookie))["user"] == "AnonymousUser"


async def test_observers_are_told_its_route(url: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "onloop.observe.access_log")
    await ask(url)

    async def logged() -> bool:
        return bool(access_log(caplog))

    await eventually(logged)
    (entry,) = access_log(caplog)
    assert (entry["method"], entry["route"], entry["status"]) == ("WEBSOCKET", "ws/who/", 101)


async def test_route_is_served_without_observers() -> None:
    routes: Any = [path("ws/who/", who)]  # type: ignore[arg-type]
    application = ProtocolRouter(websocket=WebSocketRouter(routes), lifespan=Lifespan())
    with serve_app(application) as url:
        told = await ask(url.replace("http", "ws"))
    assert told == {"user": "AnonymousUser", "session": False}


@pytest.mark.parametrize("target", ["/", "/ws/", "/ws/who", "/ws/who/x/", "/%00"])
async def test_unknown_path_is_refused_before_the_handshake(url: str, target: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(url + target, proxy=None)
    assert refusal.value.response.status_code == 403


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "null",
        "http://[",
        "http://127.0.0.1.evil.example",
        "http://127.0.0.1",
        "http://127.0.0.1:1",
        "https://{address}",
    ],
)
async def test_page_of_another_origin_is_refused_before_the_handshake(
    url: str, origin: str
) -> None:
    origin = origin.format(address=url.removeprefix("ws://"))
    with pytest.raises(InvalidStatus) as refusal:
        await ask(url, additional_headers={"Origin": origin})
    assert refusal.value.response.status_code == 403


async def test_page_of_this_site_is_let_in(url: str) -> None:
    told = await ask(url, additional_headers={"Origin": url.replace("ws", "http", 1)})
    assert told["user"] == "AnonymousUser"


async def test_page_of_a_site_behind_tls_is_let_in_by_https_alone(url: str) -> None:
    """A proxy that uvicorn trusts terminates TLS."""
    page = url.replace("ws", "http", 1)
    proxied = {"X-Forwarded-Proto": "https", "Origin": page}
    with pytest.raises(InvalidStatus):
        await ask(url, additional_headers=proxied)
    proxied["Origin"] = page.replace("http", "https", 1)
    assert (await ask(url, additional_headers=proxied))["user"] == "AnonymousUser"


def handshake(origin: str, host: str, scheme: str = "wss", **headers: str) -> Scope:
    named = {"host": host, "origin": origin} | headers
    return {
        "type": "websocket",
        "scheme": scheme,
        "path": "/ws/who/",
        "query_string": b"\xff",
        "headers": [(name.encode(), value.encode()) for name, value in named.items()],
    }


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("https://example.com", "example.com", True),
        ("https://example.com:8443", "example.com:8443", True),
        ("https://a.sub.example.com", "a.sub.example.com", True),
        ("http://example.com", "example.com", False),
        ("https://example.com", "example.com:8443", False),
        ("https://example.com:8443", "example.com", False),
        ("https://a.sub.example.com", "example.com", False),
        ("https://evil.example", "evil.example", False),
        ("https://trusted.example", "example.com", True),
        ("http://trusted.example", "example.com", False),
        ("https://trusted.example:8443", "example.com", False),
        ("https://a.wild.example", "example.com", True),
        ("http://a.wild.example", "example.com", False),
        ("https://wild.example.evil.example", "example.com", False),
        ("example.com", "example.com", False),
        ("", "example.com", False),
    ],
)
def test_origins(settings: Settings, origin: str, host: str, allowed: bool) -> None:
    settings.ALLOWED_HOSTS = ["example.com", ".sub.example.com"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://trusted.example", "https://*.wild.example"]
    assert is_allowed(handshake(origin, host)) is allowed


def test_two_origins_are_none_of_ours(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    scope = handshake("https://example.com", "example.com")
    scope["headers"].append((b"origin", b"https://example.com"))
    assert not is_allowed(scope)


def test_proxy_may_name_the_scheme_in_a_header(settings: Settings) -> None:
    settings.ALLOWED_HOSTS = ["example.com"]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_SCHEME", "https")
    proxied = {"x-scheme": "https", "scheme": "ws"}
    assert is_allowed(handshake("https://example.com", "example.com", **proxied))
    assert not is_allowed(handshake("http://example.com", "example.com", **proxied))


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:1"])
def test_origins_of_development(settings: Settings, host: str) -> None:
    settings.ALLOWED_HOSTS = []
    assert not is_allowed(handshake(f"http://{host}", host, "ws"))
    settings.DEBUG = True
    assert is_allowed(handshake(f"http://{host}", host, "ws"))
    assert not is_allowed(handshake("http://evil.example", "evil.example", "ws"))


def test_routes_are_those_of_installed_apps(settings: Settings) -> None:
    settings.INSTALLED_APPS = ["onloop", "tests.asgi.speaking"]
    assert [str(route.pattern) for route in installed_routes()] == ["ws/spoken/"]

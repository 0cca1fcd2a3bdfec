"""A request knows nothing of the last one of its connection, though servers give it its context."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import ModuleType

import pytest
import uvicorn
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.types import Application
from onloop.observe import observed

user = ContextVar("user", default="nobody")


async def leave(request: HttpRequest) -> HttpResponse:
    """Leave something in each kind of context variable, as a view may."""
    user.set("ada")
    translation.activate("de")
    timezone.activate("Europe/Berlin")
    return HttpResponse(str(len(request.body)))


def found() -> str:
    return f"{user.get()} {translation.get_language()} {timezone.get_current_timezone_name()}"


async def find(request: HttpRequest) -> HttpResponse:
    return HttpResponse(found() + await sync_to_async(str)(""))


def sync_find(request: HttpRequest) -> HttpResponse:
    return HttpResponse(found())


@pytest.fixture
def app(settings: Settings) -> EventLoopASGIHandler:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [  # type: ignore[attr-defined]
        path("leave/", csrf_exempt(leave)),
        path("find/", find),
        path("sync-find/", sync_find),
    ]
    settings.ROOT_URLCONF = urlconf
    return EventLoopASGIHandler()


@asynccontextmanager
async def connection(
    app: Application,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Serve `app` by uvicorn, on asyncio's own event loop; yield a connection to it."""
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await serving


def request(path: str, body: bytes = b"") -> bytes:
    method = "POST" if body else "GET"
    head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, str]:
    async with asyncio.timeout(20):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        [length] = re.findall(r"(?i)content-length: (\d+)", head)
        return int(head.split()[1]), (await reader.readexactly(int(length))).decode()


PATHS = ["/find/", "/sync-find/", "/find/", "/sync-find/"]


async def test_pipelined_requests_are_answered(app: EventLoopASGIHandler) -> None:
    async with connection(app) as (reader, writer):
        writer.write(b"".join(map(request, PATHS)))
        answers = [await answer(reader) for _ in PATHS]
    assert answers == [(200, "nobody en-us UTC")] * 4


async def test_request_after_a_large_body_is_answered(app: EventLoopASGIHandler) -> None:
    """Its body is more than the server reads at once: it is resumed by the request itself."""
    async with connection(app) as (reader, writer):
        writer.write(request("/leave/", b"x" * 300_000))
        assert await answer(reader) == (200, "300000")
        for path in PATHS:
            writer.write(request(path))
            assert (await answer(reader))[0] == 200


@pytest.mark.parametrize("body", [b"", b"x" * 300_000])
async def test_requests_find_nothing_of_the_last(body: bytes, app: EventLoopASGIHandler) -> None:
    async with connection(observed(app)) as (reader, writer):
        writer.write(request("/leave/", body) + b"".join(map(request, PATHS)))
        assert await answer(reader) == (200, str(len(body)))
        answers = [await answer(reader) for _ in PATHS]
        for path in PATHS:
            writer.write(request(path))
            answers.append(await answer(reader))
    assert answers == [(200, "nobody en-us UTC")] * 8

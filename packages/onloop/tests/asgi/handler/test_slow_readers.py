"""A client that does not read holds no thread and no database connection."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    StreamingHttpResponse,
)
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.testing import TLS, fetch, serve_app, serve_process
from tests.asgi.handler.exchange import ask

LARGE = b"x" * 2**24  # More than the system takes without a reader.
CLIENTS = 4  # More than there are threads or connections.


def plain(request: HttpRequest) -> HttpResponseBase:
    return HttpResponse(LARGE)


def file(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(BytesIO(LARGE))


async def file_of_async_view(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(BytesIO(LARGE))


async def asynchronous(request: HttpRequest) -> HttpResponseBase:
    await sync_to_async(len)(LARGE)
    return HttpResponse(LARGE)


async def stream(request: HttpRequest) -> HttpResponseBase:
    async def chunks() -> AsyncIterator[bytes]:
        yield LARGE

    await sync_to_async(len)(LARGE)
    return StreamingHttpResponse(chunks())


def missing(request: HttpRequest) -> HttpResponseBase:
    raise Http404


def large_page(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(LARGE, status=404)


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
@pytest.mark.parametrize("view", [plain, file, file_of_async_view, asynchronous, stream, missing])
def test_no_thread_is_held(
    view: Callable[[HttpRequest], Any],
    serve: Callable[..., EventLoopASGIHandler],
    settings: Settings,
) -> None:
    app = ProtocolRouter(http=serve(view), lifespan=Lifespan())
    settings.ROOT_URLCONF.handler404 = large_page
    with serve_app(app) as url, ExitStack() as clients:
        for _ in range(CLIENTS):
            assert start_of_answer(url, "/view/", clients).startswith(b"HTTP/1.1 ")


def test_no_connection_is_held(postgres_url: str) -> None:
    with (
        serve_process(
            app="tests.asgi.handler.database:application",
            DATABASE_URL=postgres_url,
            DATABASE_POOL_SIZE="2",
            DATABASE_POOL_TIMEOUT="2",
        ) as (_, url),
        ExitStack() as clients,
    ):
        assert fetch(f"{url}/one/").text == "1"
        for _ in range(CLIENTS):
            assert start_of_answer(url, "/large/", clients) == b"HTTP/1.1 200"
        with httpx.Client(base_url=url, timeout=30, verify=TLS) as client:
            pages = [client.get("/none") for _ in range(CLIENTS)]
            assert [(page.status_code, page.text) for page in pages] == [(404, "1")] * CLIENTS
            assert client.get("/one/").text == "1"


async def test_sync_stream_is_read_on_one_thread_and_closed(
    serve: Callable[..., EventLoopASGIHandler], hops: list[str]
) -> None:
    closed = []

    class Parts(list[bytes]):
        def close(self) -> None:
            closed.append(self)

    def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(Parts([b"one", b"two"]))

    with pytest.warns(Warning, match="must consume synchronous iterators"):
        assert (await ask(serve(view), "/view/")).text == "onetwo"
    assert closed == [[b"one", b"two"]]
    reading = [hop for hop in hops if "class 'list'" in hop]
    assert len(reading) == 1, "Django reads a sync stream in parts: keep its thread until the end."


def start_of_answer(url: str, path: str, clients: ExitStack) -> bytes:
    """Send a request, and read the answer only as far as its status."""
    server = urlsplit(url)
    client = clients.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(10)
    client.connect((server.hostname, server.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    return client.recv(12)

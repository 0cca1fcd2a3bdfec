"""Sync-only middleware, whose thread waits for the view, lets no requests block each other."""

import asyncio
import threading
from collections.abc import Callable
from types import ModuleType

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.urls import path
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.testing import TLS, serve_app
from tests.asgi.handler.exchange import Exchange, ask

THREADS = 2  # As settings.SYNC_THREADS is for these tests.


def sync_middleware(get_response: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        request.thread = threading.get_ident()  # type: ignore[attr-defined]
        response = get_response(request)
        response["X-Same-Thread"] = str(threading.get_ident() == request.thread)  # type: ignore[attr-defined]
        return response

    return middleware


@pytest.fixture(autouse=True)
def _behind_sync_middleware(settings: Settings) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE[:3], f"{__name__}.sync_middleware"]


async def aggregate(request: HttpRequest) -> HttpResponse:
    """Call the server's own sync view, as the demo does."""
    url = request.build_absolute_uri("/one/")
    async with httpx.AsyncClient(timeout=20, verify=TLS) as client:
        answers = await asyncio.gather(*(client.get(url) for _ in range(2)))
    return HttpResponse("".join(answer.text for answer in answers))


def one(request: HttpRequest) -> HttpResponse:
    return HttpResponse("1")


async def test_aggregations_of_the_own_sync_view_are_answered(settings: Settings) -> None:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [path("all/", aggregate), path("one/", one)]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urlconf
    app = ProtocolRouter(http=EventLoopASGIHandler(), lifespan=Lifespan())
    with serve_app(app) as url:
        async with httpx.AsyncClient(base_url=url, timeout=20, verify=TLS) as client:
            answers = await asyncio.gather(*(client.get("/all/") for _ in range(4 * THREADS)))
    assert [answer.text for answer in answers] == ["11"] * 4 * THREADS
    assert {answer.headers["X-Same-Thread"] for answer in answers} == {"True"}


async def test_sync_views_are_as_many_as_there_are_threads(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    inside, out = threading.Semaphore(0), threading.Semaphore(0)

    def view(request: HttpRequest) -> HttpResponse:
        inside.release()
        assert out.acquire(timeout=10)
        return HttpResponse("out")

    app = serve(view)
    requests = [Exchange(app, "/view/") for _ in range(3 * THREADS)]
    for _ in range(THREADS):
        assert await asyncio.to_thread(inside.acquire, timeout=10)
    assert not inside.acquire(blocking=False)
    out.release(len(requests))
    await asyncio.gather(*(request.task for request in requests))
    assert [request.answer.text for request in requests] == ["out"] * len(requests)


async def test_all_sync_code_of_a_request_runs_on_the_thread_of_its_middleware(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(await sync_to_async(threading.get_ident)() == request.thread))  # type: ignore[attr-defined]

    assert (await ask(serve(view), "/view/")).text == "True"

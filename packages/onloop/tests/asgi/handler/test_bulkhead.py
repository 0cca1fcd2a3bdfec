"""A view with a bulkhead has threads of its own, and everything else as any other view."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, markcoroutinefunction, sync_to_async
from django.contrib.auth import get_user_model
from django.core.signals import request_finished, request_started
from django.db import DEFAULT_DB_ALIAS, connections
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.template import engines
from django.template.response import SimpleTemplateResponse
from django.test import AsyncClient, Client
from django.urls import path
from django.utils.decorators import method_decorator
from django.utils.deprecation import MiddlewareMixin
from django.views import View
from django.views.decorators.http import require_safe
from pytest_django import Settings

from onloop.asgi import EventLoopASGIHandler, thread_bulkhead
from onloop.asgi.types import Receive, Scope, Send
from tests.asgi.handler.crowd import Crowd
from tests.asgi.handler.exchange import Exchange, ask

User = get_user_model()

type Serve = Callable[..., EventLoopASGIHandler]

visitor = ContextVar("visitor", default="nobody")


def name_of_thread(request: HttpRequest) -> HttpResponse:
    return HttpResponse(threading.current_thread().name)


@pytest.fixture
def own_and_other(settings: Settings) -> Callable[..., EventLoopASGIHandler]:
    """Makes a handler with one common thread, and a bulkhead of one thread at /own/."""

    def serve(own: Callable[..., Any], other: Callable[..., Any]) -> EventLoopASGIHandler:
        settings.SYNC_THREADS = 1
        urlconf = ModuleType("urlconf")
        urlconf.urlpatterns = [  # type: ignore[attr-defined]
            path("own/", thread_bulkhead(1)(own)),
            path("other/", other),
        ]
        settings.ROOT_URLCONF = urlconf
        return EventLoopASGIHandler()

    return serve


async def entered(crowd: Crowd) -> None:
    assert await asyncio.to_thread(crowd.entered.acquire, timeout=10)


async def test_view_with_a_bulkhead_does_not_wait_for_other_views(own_and_other: Serve) -> None:
    crowd = Crowd()
    app = own_and_other(name_of_thread, crowd)
    other = Exchange(app, "/other/")
    await entered(crowd)

    assert (await ask(app, "/own/")).text.startswith("bulkhead")

    crowd.out.release()
    await other.task


async def test_other_views_do_not_wait_for_a_full_bulkhead(own_and_other: Serve) -> None:
    crowd = Crowd()
    app = own_and_other(crowd, name_of_thread)
    own = [Exchange(app, "/own/") for _ in range(3)]
    await entered(crowd)

    assert (await ask(app, "/other/")).text.startswith("sync")

    crowd.out.release(3)
    await asyncio.gather(*(exchange.task for exchange in own))
    assert crowd.most == 1


async def test_thread_of_earlier_middleware_is_released(
    own_and_other: Serve, settings: Settings
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.use_a_thread"]
    crowd = Crowd()
    app = own_and_other(crowd, name_of_thread)
    own = Exchange(app, "/own/")
    await entered(crowd)

    assert (await ask(app, "/other/")).text.startswith("sync")

    crowd.out.release()
    await own.task


async def test_requests_beyond_the_limit_wait_for_a_thread(serve: Serve) -> None:
    crowd = Crowd()
    app = serve(thread_bulkhead(3)(crowd))
    requests = [Exchange(app, "/view/") for _ in range(7)]
    for _ in range(3):
        await entered(crowd)
    assert not crowd.entered.acquire(blocking=False)

    crowd.out.release(7)
    await asyncio.gather(*(request.task for request in requests))

    assert [request.answer.text for request in requests] == ["out"] * 7
    assert crowd.most == len(set(crowd.threads)) == 3


async def test_request_that_leaves_the_line_takes_no_thread(serve: Serve) -> None:
    crowd = Crowd()
    app = serve(thread_bulkhead(1)(crowd))
    first = Exchange(app, "/view/")
    await entered(crowd)
    impatient = Exchange(app, "/view/")
    impatient.disconnect()
    await asyncio.wait_for(impatient.task, 10)

    crowd.out.release()
    await first.task

    assert len(crowd.threads) == 1


async def test_views_share_the_threads_of_one_call(settings: Settings) -> None:
    crowds = Crowd(), Crowd()
    slow = thread_bulkhead(1)
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [path(str(n), slow(crowd)) for n, crowd in enumerate(crowds)]  # type: ignore[attr-defined]
    settings.ROOT_URLCONF = urlconf
    app = EventLoopASGIHandler()
    requests = [Exchange(app, f"/{n}") for n in range(2)]
    await entered(crowds[0])
    assert not crowds[1].entered.acquire(blocking=False)

    for crowd in crowds:
        crowd.out.release()
    await asyncio.gather(*(request.task for request in requests))

    assert crowds[0].threads == crowds[1].threads


async def test_all_sync_code_after_the_url_runs_on_one_thread(
    serve: Serve, settings: Settings
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.Noting"]
    seen: list[int] = []

    def note(*args: object) -> None:
        seen.append(threading.get_ident())

    @thread_bulkhead(9)
    def view(request: HttpRequest) -> SimpleTemplateResponse:
        note()
        template = engines["django"].from_string("{{ note }}")
        response = SimpleTemplateResponse(template, {"note": note})
        response.add_post_render_callback(note)
        return response

    Noting.note = staticmethod(note)
    assert (await ask(serve(view), "/view/")).text == "None"

    assert len(seen) == 5
    assert len(set(seen)) == 1
    assert seen[0] != threading.get_ident()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
async def test_sync_stream_is_read_on_the_thread_of_its_view(serve: Serve) -> None:
    @thread_bulkhead(9)
    def view(request: HttpRequest) -> StreamingHttpResponse:
        def parts(of_view: str) -> Iterator[str]:
            yield f"{of_view} {threading.current_thread().name}"

        return StreamingHttpResponse(parts(threading.current_thread().name))

    of_view, of_stream = (await ask(serve(view), "/view/")).text.split()
    assert of_view == of_stream
    assert of_view.startswith("bulkhead")


async def test_sync_code_of_an_async_view_runs_in_its_bulkhead(serve: Serve) -> None:
    @thread_bulkhead(1)
    async def view(request: HttpRequest) -> HttpResponse:
        return await sync_to_async(name_of_thread)(request)

    assert (await ask(serve(view), "/view/")).text.startswith("bulkhead")


@pytest.mark.django_db(transaction=True)
async def test_database_connection_is_closed_after_use(serve: Serve) -> None:
    used: list[Any] = []

    @thread_bulkhead(1)
    def view(request: HttpRequest) -> HttpResponse:
        used.append(connections[DEFAULT_DB_ALIAS])
        return HttpResponse(str(User.objects.count()))

    app = serve(view)
    assert [(await ask(app, "/view/")).text for _ in range(2)] == ["0", "0"]
    assert used[0].connection is None


async def test_view_sees_the_context_of_its_request(serve: Serve, settings: Settings) -> None:
    settings.MIDDLEWARE = [f"{__name__}.set_visitor"]

    @thread_bulkhead(1)
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(visitor.get())

    app = serve(view)
    assert (await ask(app, "/view/?ada")).text == "ada"
    assert (await ask(app, "/view/?bob")).text == "bob"


async def test_exception_becomes_an_error_page(serve: Serve) -> None:
    @thread_bulkhead(1)
    def view(request: HttpRequest) -> HttpResponse:
        raise ValueError(request.META["QUERY_STRING"])

    app = serve(view)
    assert [(await ask(app, "/view/")).status for _ in range(2)] == [500, 500]


@pytest.mark.parametrize("signal", [request_started, request_finished])
async def test_thread_of_receivers_is_the_thread_of_the_view(
    signal: Signal, serve: Serve, settings: Settings
) -> None:
    """They may rely on what is left on the thread, so there is no bulkhead then."""
    settings.MIDDLEWARE = [f"{__name__}.use_a_thread"]
    seen: list[str] = []

    def receiver(**kwargs: object) -> None:
        seen.append(threading.current_thread().name)

    signal.connect(receiver)
    try:
        name = (await ask(serve(thread_bulkhead(1)(name_of_thread)), "/view/")).text
    finally:
        signal.disconnect(receiver)
    assert seen == [name]
    assert name.startswith("sync")


async def test_view_behind_sync_middleware_runs_on_its_thread(
    serve: Serve, settings: Settings
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.note_thread"]
    view = thread_bulkhead(1)(name_of_thread)
    assert (await ask(serve(view), "/view/")).text.startswith("sync")


async def test_caller_that_has_chosen_a_thread_keeps_it(serve: Serve) -> None:
    app = serve(thread_bulkhead(1)(name_of_thread))

    async def chosen(scope: Scope, receive: Receive, send: Send) -> None:
        async with ThreadSensitiveContext():
            await app(scope, receive, send)

    assert (await ask(chosen, "/view/")).text.startswith("ThreadPoolExecutor")


async def test_test_clients_call_the_view_as_it_is(serve: Serve) -> None:
    serve(thread_bulkhead(1)(name_of_thread))

    sync_answer = await asyncio.to_thread(Client().get, "/view/")
    async_answer = await AsyncClient().get("/view/")

    assert b"bulkhead" not in sync_answer.content + async_answer.content


class Report(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return name_of_thread(request)


@method_decorator(thread_bulkhead(1), name="dispatch")
class DecoratedReport(Report):
    pass


@pytest.mark.parametrize(
    "view",
    [
        require_safe(thread_bulkhead(1)(name_of_thread)),
        thread_bulkhead(1)(Report.as_view()),
        DecoratedReport.as_view(),
    ],
    ids=["require_safe", "as_view", "method_decorator"],
)
async def test_other_decorators_and_classes_keep_the_bulkhead(
    view: Callable[..., Any], serve: Serve
) -> None:
    assert (await ask(serve(view), "/view/")).text.startswith("bulkhead")


def test_limit_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="must be greater than 0"):
        thread_bulkhead(0)


class Noting(MiddlewareMixin):
    """Calls `note()` in each of its hooks, which run in threads."""

    note: Callable[[], object]

    def process_view(self, *args: object) -> None:
        type(self).note()

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        type(self).note()
        return response


def _async(middleware: Callable[..., Any]) -> Callable[..., Any]:
    middleware.async_capable, middleware.sync_capable = True, False  # type: ignore[attr-defined]
    return middleware


@_async
def use_a_thread(get_response: Callable[..., Any]) -> Callable[..., Any]:
    async def middleware(request: HttpRequest) -> HttpResponse:
        await sync_to_async(threading.get_ident)()
        response: HttpResponse = await get_response(request)
        return response

    return markcoroutinefunction(middleware)


@_async
def set_visitor(get_response: Callable[..., Any]) -> Callable[..., Any]:
    async def middleware(request: HttpRequest) -> HttpResponse:
        visitor.set(request.META["QUERY_STRING"])
        response: HttpResponse = await get_response(request)
        return response

    return middleware


def note_thread(get_response: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        return get_response(request)

    return middleware

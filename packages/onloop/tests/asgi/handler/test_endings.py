"""How a request ends before its time, and what the server hears of it."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from tests.asgi.handler.exchange import Exchange, ask

SIGNALS = [request_started, request_finished]


async def test_a_disconnect_cancels_the_view(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()
    finished: list[type] = []

    async def view(request: HttpRequest) -> HttpResponse:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise
        return HttpResponse("never")

    async def receiver(sender: type, **kwargs: object) -> None:
        finished.append(sender)

    request_finished.connect(receiver)
    try:
        exchange = Exchange(serve(view), "/view/")
        await asyncio.wait_for(started.wait(), 10)
        exchange.disconnect()
        await asyncio.wait_for(exchange.task, 10)
    finally:
        request_finished.disconnect(receiver)
    assert cancelled.is_set()
    assert exchange.answer.status == 0
    assert finished == [EventLoopASGIHandler]


async def test_a_disconnect_before_the_end_of_the_body_ends_the_request() -> None:
    exchange = Exchange(EventLoopASGIHandler(), "/async/plain/")
    exchange.incoming.get_nowait()
    exchange.disconnect()
    await asyncio.wait_for(exchange.task, 10)
    assert exchange.answer.status == 0


async def test_a_cancelled_request_gives_its_thread_back(
    serve: Callable[..., EventLoopASGIHandler], settings: Settings
) -> None:
    """A server that stops cancels its requests."""
    settings.SYNC_THREADS = 1
    used = asyncio.Event()

    async def view(request: HttpRequest) -> HttpResponse:
        await sync_to_async(threading.get_ident)()
        if used.is_set():
            return HttpResponse("next")
        used.set()
        await asyncio.Event().wait()
        return HttpResponse("never")

    app = serve(view)
    exchange = Exchange(app, "/view/")
    await asyncio.wait_for(used.wait(), 10)
    exchange.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exchange.task
    assert (await ask(app, "/view/")).text == "next"


async def test_an_unreadable_request_is_a_400(hops: list[str]) -> None:
    app = EventLoopASGIHandler()
    app.create_request = lambda *args: (None, HttpResponse(status=400))  # type: ignore[method-assign]
    assert (await ask(app, "/")).status == 400
    assert not hops


async def test_errors_of_the_server_reach_the_server(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        await asyncio.Event().wait()
        return HttpResponse("never")

    exchange = Exchange(serve(view), "/view/")
    exchange.incoming.put_nowait({"type": "http.unheard-of"})
    with pytest.raises(AssertionError, match="Invalid ASGI message"):
        await exchange.task


async def test_several_errors_of_the_server_reach_it_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = EventLoopASGIHandler()

    async def run_get_response(request: HttpRequest) -> HttpResponseBase:
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("the view failed, too")

    monkeypatch.setattr(app, "run_get_response", run_get_response)
    exchange = Exchange(app, "/async/plain/")
    exchange.incoming.put_nowait({"type": "http.unheard-of"})
    with pytest.raises(BaseExceptionGroup) as raised:
        await exchange.task
    assert {type(e) for e in raised.value.exceptions} == {AssertionError, RuntimeError}


async def test_only_http_is_served() -> None:
    with pytest.raises(ValueError, match="Django can only handle ASGI/HTTP connections"):
        await EventLoopASGIHandler()({"type": "websocket"}, asyncio.Queue().get, print)  # type: ignore[arg-type]


async def test_task_that_outlives_its_request_may_call_synchronous_code(
    serve: Callable[..., EventLoopASGIHandler], settings: Settings
) -> None:
    """And keeps no thread between its calls, of which this handler has one."""
    settings.SYNC_THREADS = 1
    answered = asyncio.Event()
    tasks: list[asyncio.Task[list[str]]] = []

    def name() -> str:
        return threading.current_thread().name[:5]

    async def outlive() -> list[str]:
        await answered.wait()
        names = [await sync_to_async(name)()]
        assert (await ask(app, "/view/")).status == 200
        names += await asyncio.gather(sync_to_async(name)(), sync_to_async(name)())
        return names

    async def view(request: HttpRequest) -> HttpResponse:
        await sync_to_async(name)()
        if not tasks:
            tasks.append(asyncio.create_task(outlive()))
        return HttpResponse()

    app = serve(view)
    assert (await ask(app, "/view/")).status == 200
    answered.set()
    assert await tasks[0] == ["sync_"] * 3
    assert (await ask(app, "/view/")).status == 200


async def test_inside_another_context_the_thread_is_that_contexts(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(threading.get_ident()))

    async with ThreadSensitiveContext():
        outer = await sync_to_async(threading.get_ident)()
        assert await thread_of(serve(view)) == outer


def test_under_async_to_sync_the_thread_is_the_callers(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(threading.get_ident()))

    assert async_to_sync(thread_of)(serve(view)) == threading.get_ident()


async def thread_of(app: EventLoopASGIHandler) -> int:
    """Ask in the current context, as a test of the project's own would."""
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request"})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/view/", "query_string": b""}
    scope["headers"] = [(b"host", b"testserver")]
    await app(scope, incoming.get, send)
    return int(sent[1]["body"])

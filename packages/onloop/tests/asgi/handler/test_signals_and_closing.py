"""Signals are sent and responses closed as Django does, in a thread only where that may wait."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.dispatch import Signal
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test.client import encode_multipart
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from tests.asgi.handler.exchange import Exchange, ask

SIGNALS = [request_started, request_finished]


SIGNALS = [request_started, request_finished]


@pytest.mark.parametrize("signal", SIGNALS)
async def test_a_foreign_sync_receiver_is_called_in_a_thread(signal: Signal) -> None:
    calls: list[tuple[int, type]] = []

    def receiver(sender: type, **kwargs: object) -> None:
        calls.append((threading.get_ident(), sender))

    signal.connect(receiver)
    try:
        assert (await ask(EventLoopASGIHandler(), "/async/plain/")).status == 200
    finally:
        signal.disconnect(receiver)
    [(thread, sender)] = calls
    assert thread != threading.get_ident()
    assert sender is EventLoopASGIHandler


async def test_foreign_receivers_are_called_before_the_thread_is_released(
    serve: Callable[..., EventLoopASGIHandler], settings: Settings
) -> None:
    """They may clear what other code has left on it."""
    settings.SYNC_THREADS = 1
    on_thread = threading.local()
    found: list[str] = []
    inside, out = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def receiver(sender: type, **kwargs: object) -> None:
        found.append(on_thread.query)

    def view(request: HttpRequest) -> HttpResponse:
        on_thread.query = request.META["QUERY_STRING"]
        loop.call_soon_threadsafe(inside.set)
        assert out.wait(10)
        return HttpResponse()

    app = serve(view)
    request_finished.connect(receiver)
    try:
        first = Exchange(app, "/view/?first")
        await inside.wait()
        second = Exchange(app, "/view/?second")
        for _ in range(20):  # Until it stands in line for the thread.
            await asyncio.sleep(0)
        out.set()
        await asyncio.gather(first.task, second.task)
    finally:
        request_finished.disconnect(receiver)
    assert found == ["first", "second"]


@pytest.mark.parametrize("signal", SIGNALS)
async def test_an_async_receiver_is_awaited_on_the_event_loop(
    signal: Signal, hops: list[str]
) -> None:
    calls: list[tuple[int, type]] = []

    async def receiver(sender: type, **kwargs: object) -> None:
        await asyncio.sleep(0)
        calls.append((threading.get_ident(), sender))

    signal.connect(receiver)
    try:
        assert (await ask(EventLoopASGIHandler(), "/async/plain/")).status == 200
    finally:
        signal.disconnect(receiver)
    assert calls == [(threading.get_ident(), EventLoopASGIHandler)]
    assert not hops


@pytest.mark.parametrize("asynchronous", [True, False])
async def test_caches_are_closed(
    asynchronous: bool,
    serve: Callable[..., EventLoopASGIHandler],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In a thread if one has opened it: closing it may wait for a server."""
    closed_on: list[int] = []
    monkeypatch.setattr(
        "django.core.cache.backends.locmem.LocMemCache.close",
        lambda self, **kwargs: closed_on.append(threading.get_ident()),
        raising=False,
    )

    async def async_view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(cache.key_prefix)

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(cache.key_prefix)

    assert (await ask(serve(async_view if asynchronous else view), "/view/")).status == 200
    [thread] = closed_on
    assert (thread == threading.get_ident()) is asynchronous


async def test_closing_makes_no_hop_where_no_cache_waits(
    serve: Callable[..., EventLoopASGIHandler], hops: list[str]
) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(cache.key_prefix)

    assert (await ask(serve(view), "/view/")).status == 200
    assert not [hop for hop in hops if "close" in hop or "sync_send" in hop]


class OwnClose(HttpResponse):
    """A response that does something of its own when it is closed."""

    thread = 0

    def close(self) -> None:
        OwnClose.thread = threading.get_ident()
        super().close()


async def test_a_response_with_a_close_of_its_own_is_closed_in_a_thread(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return OwnClose("own")

    assert (await ask(serve(view), "/view/")).text == "own"
    assert OwnClose.thread not in (0, threading.get_ident())


class Lines:
    """An async iterator with something to close."""

    thread = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"line"

    def close(self) -> None:
        Lines.thread = threading.get_ident()


async def test_what_a_response_holds_is_closed_in_a_thread(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(Lines())

    assert (await ask(serve(view), "/view/")).text == "line"
    assert Lines.thread not in (0, threading.get_ident())


@pytest.mark.parametrize("on_disk", [True, False])
async def test_the_request_is_closed(
    on_disk: bool,
    serve: Callable[..., EventLoopASGIHandler],
    settings: Settings,
    hops: list[str],
) -> None:
    """In a thread if its body is on disk, where closing means deleting."""
    settings.MIDDLEWARE = []
    if on_disk:
        settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    seen: list[Any] = []

    async def view(request: HttpRequest) -> HttpResponse:
        response = HttpResponse("closed")
        seen.extend([response, *request.FILES.values()])
        return response

    app = serve(view)
    body = encode_multipart("b", {"file": SimpleNamespace(name="f", read=lambda: b"x" * 100)})
    answer = await ask(
        app,
        "/view/",
        method="POST",
        headers={"content-type": "multipart/form-data; boundary=b"},
        body=body,
    )
    assert answer.text == "closed"
    assert [item.closed for item in seen] == [True, True]
    assert any("HttpResponseBase.close" in hop for hop in hops) is on_disk

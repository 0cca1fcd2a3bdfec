"""An async view never leaves the event loop, and an open stream holds no thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.signals import request_finished, request_started
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test.client import encode_multipart
from django.utils.deprecation import MiddlewareMixin
from django.utils.module_loading import import_string
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.middleware import EVENT_LOOP_MIDDLEWARE
from onloop.asgi.threads import release_thread
from onloop.observe import observed
from onloop.observe.tracing import traced
from tests.asgi.handler.exchange import Browser, Exchange, access_log, ask

SIGNALS = [request_started, request_finished]


def explain(hops: list[str]) -> str:
    return (
        "An async view behind the full middleware stack left the event loop. Either its middleware "
        "is not the event loop's any more (see onloop.asgi.middleware.import_middleware), or this "
        "version of Django or asgiref calls synchronous code in a new place, which "
        f"EventLoopASGIHandler has to learn about: {', '.join(hops)}"
    )


async def test_an_async_view_never_leaves_the_event_loop(hops: list[str]) -> None:
    answer = await ask(EventLoopASGIHandler(), "/async/plain/?a=b")
    assert answer.text == "GET /async/plain/?a=b"
    assert not hops, explain(hops)


async def test_nor_where_djangos_middleware_is_not_async_capable(
    hops: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release of Django may say so: https://code.djangoproject.com/ticket/37177"""
    for name in EVENT_LOOP_MIDDLEWARE:
        monkeypatch.setattr(import_string(name), "async_capable", False)
    monkeypatch.setattr(MiddlewareMixin, "async_capable", False)
    assert (await ask(EventLoopASGIHandler(), "/async/plain/")).status == 200
    assert not hops, explain(hops)


async def test_a_posted_form_with_its_csrf_token_does_not_either(hops: list[str]) -> None:
    browser = Browser(EventLoopASGIHandler())
    token = (await browser.ask("/async/token/")).text
    answer = await browser.ask(
        "/async/form/",
        method="POST",
        headers={"content-type": "application/x-www-form-urlencoded"},
        body=f"csrfmiddlewaretoken={token}".encode(),
    )
    assert answer.status == 200
    assert not hops, explain(hops)


async def test_nor_does_what_operators_see_of_it(
    hops: list[str],
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request id, an access log, metrics, load shedding and a recorded trace."""
    # OpenTelemetry reads it once in a process; `tracer_provider()` sets it to this.
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    settings.METRICS = True
    settings.MAX_PENDING_REQUESTS = 10
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    app = traced(observed(EventLoopASGIHandler()), provider)
    hops.clear()  # OpenTelemetry's provider looks for its resources in threads, once.
    answer = await ask(app, "/async/plain/?a=b")
    assert answer.text == "GET /async/plain/?a=b"
    assert not hops, explain(hops)
    assert [line["route"] for line in access_log(caplog)] == ["async/plain/"]
    assert [span.name for span in spans.get_finished_spans()] == ["GET async/plain/"]


async def test_the_token_of_an_upload_is_looked_for_in_a_thread(hops: list[str]) -> None:
    """Upload handlers run then, and they write files."""
    await ask(
        EventLoopASGIHandler(),
        "/async/form/",
        method="POST",
        headers={
            "content-type": "multipart/form-data; boundary=b",
            "cookie": "csrftoken=" + "a" * 32,
        },
        body=encode_multipart("b", {"csrfmiddlewaretoken": "a" * 32}),
    )
    assert any("process_view" in hop for hop in hops)


async def test_nor_do_messages_and_sessions_that_wait_for_nothing(
    hops: list[str], settings: Settings
) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    browser = Browser(EventLoopASGIHandler())
    await browser.ask("/async/message/add/")
    assert (await browser.ask("/async/message/read/")).text == "message 0 "
    await browser.ask("/async/session/set/?value=1")
    assert (await browser.ask("/async/session/get/")).text == '{"value": "1"}'
    assert not hops, explain(hops)


async def test_open_streams_hold_no_thread(
    hops: list[str], serve: Callable[..., EventLoopASGIHandler]
) -> None:
    end = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await end.wait()
        yield b"last"

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks())

    app = serve(view)
    streams = [Exchange(app, "/view/") for _ in range(50)]
    assert [await stream.chunk() for stream in streams] == [b"first"] * 50
    end.set()
    await asyncio.gather(*(stream.task for stream in streams))
    assert {stream.answer.text for stream in streams} == {"firstlast"}
    assert not hops, explain(hops)


async def test_a_stream_gives_back_the_thread_of_its_view(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    """More streams than threads are open at the same time, though each view has used a thread."""
    end = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"first"
        await end.wait()
        yield str(await sync_to_async(threading.get_ident)()).encode()

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        await sync_to_async(threading.get_ident)()
        return StreamingHttpResponse(chunks())

    app = serve(view)
    streams = [Exchange(app, "/view/") for _ in range(5)]
    assert [await stream.chunk() for stream in streams] == [b"first"] * 5
    end.set()
    await asyncio.gather(*(stream.task for stream in streams))
    assert len({stream.answer.body for stream in streams}) <= 2


async def test_a_view_may_give_back_its_thread_before_it_waits(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    """More requests than threads wait at the same time, though each has used a thread."""
    waiting = asyncio.Barrier(6)

    async def view(request: HttpRequest) -> HttpResponse:
        await sync_to_async(threading.get_ident)()
        release_thread()
        await waiting.wait()
        return HttpResponse(str(await sync_to_async(threading.get_ident)()))

    app = serve(view)
    requests = [Exchange(app, "/view/") for _ in range(5)]
    async with asyncio.timeout(10):
        await waiting.wait()
        await asyncio.gather(*(request.task for request in requests))
    assert {request.answer.status for request in requests} == {200}


async def test_giving_back_no_thread_takes_none(
    hops: list[str], serve: Callable[..., EventLoopASGIHandler]
) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        release_thread()
        return HttpResponse("released")

    assert (await ask(serve(view), "/view/")).text == "released"
    assert not hops, explain(hops)


async def test_thread_that_a_caller_has_chosen_is_left_alone() -> None:
    async with ThreadSensitiveContext():
        before = await sync_to_async(threading.get_ident)()
        release_thread()
        assert await sync_to_async(threading.get_ident)() == before

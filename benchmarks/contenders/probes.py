"""The views that a Django contender has only for the benchmark."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

from benchmarks.contenders import options

_announced = asyncio.Event()


async def hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": "Hello World!"})


async def events(request: HttpRequest) -> StreamingHttpResponse:
    """A server-sent events stream: one event immediately, then one per interval, forever."""

    async def stream() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(options.STREAM_INTERVAL)

    return StreamingHttpResponse(stream(), content_type="text/event-stream")


async def announcements(request: HttpRequest) -> StreamingHttpResponse:
    """A server-sent events stream: one event immediately, and one when `announce` is requested."""

    async def stream() -> AsyncIterator[bytes]:
        async for words in until_announced():
            yield b"data: %b\n\n" % words.encode()

    return StreamingHttpResponse(stream(), content_type="text/event-stream")


async def until_announced() -> AsyncGenerator[str]:
    """The events of each listener; the stream stays open afterwards."""
    yield "welcome"
    await _announced.wait()
    yield "announcement"
    await asyncio.Event().wait()


async def announce(request: HttpRequest) -> HttpResponse:
    """Let every open stream of announcements send its event."""
    _announced.set()
    return HttpResponse()


urlpatterns = [
    path("hello/", hello),
    path("events/", events),
    path("announcements/", announcements),
    path("announce/", announce),
]

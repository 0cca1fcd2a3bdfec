"""The two views a Django contender has for the benchmark alone: `hello/` and `events/`."""

import asyncio
from collections.abc import AsyncIterator

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.urls import path

from benchmarks.contenders import options


async def hello(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"message": "Hello World!"})


async def events(request: HttpRequest) -> StreamingHttpResponse:
    """A server-sent events stream: an event at once, then one each interval, without end."""

    async def stream() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await asyncio.sleep(options.STREAM_INTERVAL)

    return StreamingHttpResponse(stream(), content_type="text/event-stream")


urlpatterns = [path("hello/", hello), path("events/", events)]

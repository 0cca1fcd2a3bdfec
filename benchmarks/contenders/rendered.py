"""The rendered project's own ASGI application, with the benchmark's views added to its URLs.

Runs on the project's interpreter in the project's folder: `config` is the project's package, so
handler, middleware, settings and server are the project's own. Announcements are an
`EventStreamResponse`, as a stream of the project should be: with heartbeats, and an end when the
server stops.
"""

from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

from benchmarks.contenders import probes

application = import_module("config.asgi").application
sse = import_module("onloop.streams")


async def announcements(request: HttpRequest) -> StreamingHttpResponse:
    async def stream() -> AsyncGenerator[Any]:
        async for words in probes.until_announced():
            yield sse.Event("message", words)

    response: StreamingHttpResponse = sse.EventStreamResponse(stream())
    return response


import_module("config.urls").urlpatterns.extend(
    [path("announcements/", announcements), *probes.urlpatterns]
)

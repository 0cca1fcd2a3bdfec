"""The project's application with a stream that ends when the server is asked to stop."""

import asyncio
from collections.abc import AsyncIterator

from django.http import HttpRequest, StreamingHttpResponse
from django.urls import path

from onloop.asgi.waiting import until_stopping
from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]


async def ticks() -> AsyncIterator[bytes]:
    """One tick, and then nothing more."""
    yield b"tick"
    await asyncio.Event().wait()


async def body() -> AsyncIterator[bytes]:
    async for tick in until_stopping(ticks()):
        yield tick
    yield b"bye"


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(body())


urlpatterns.append(path("stream/", stream))

"""Views for `test_onloop`, served by this process or by one that the test starts."""

import asyncio
from collections.abc import AsyncGenerator

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.asgi.types import Application
from onloop.streams import Event, EventStreamResponse


async def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


async def stream(request: HttpRequest) -> EventStreamResponse:
    return EventStreamResponse(one_event())


async def one_event() -> AsyncGenerator[Event]:
    """Yield one event, and then wait forever."""
    yield Event("first")
    await asyncio.Event().wait()


urlpatterns = [path("hello/", hello), path("stream/", stream)]


def application() -> Application:
    """Return the project's application with the views of this module."""
    from config.asgi import application

    settings.ROOT_URLCONF = __name__
    return application

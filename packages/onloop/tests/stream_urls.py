"""Streams whose sources a test looks into."""

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncGenerator

from django.http import HttpRequest
from django.urls import path

from onloop.streams import Event, EventStreamResponse


class Source:
    """A stream's source: how much it has produced, and whether it is closed."""

    def __init__(self) -> None:
        self.produced = 0
        self.closed = threading.Event()

    async def silent(self) -> AsyncGenerator[Event]:
        """One event, and then nothing more."""
        try:
            self.produced += 1
            yield Event("message", "hello")
            await asyncio.Event().wait()
        finally:
            self.closed.set()

    async def eager(self) -> AsyncGenerator[Event]:
        """Large events, as fast as they are taken."""
        try:
            while True:
                self.produced += 1
                yield Event("message", "x" * 65_536)
        finally:
            self.closed.set()


sources: defaultdict[str, Source] = defaultdict(Source)


async def silent(request: HttpRequest, name: str) -> EventStreamResponse:
    return EventStreamResponse(
        sources[name].silent(), heartbeat=float(request.GET.get("heartbeat", 3600))
    )


async def eager(request: HttpRequest, name: str) -> EventStreamResponse:
    return EventStreamResponse(sources[name].eager())


urlpatterns = [path("silent/<name>/", silent), path("eager/<name>/", eager)]

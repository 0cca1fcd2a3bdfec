"""Server-sent events: events in, a streaming response out.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from django.http import StreamingHttpResponse

from onloop.asgi.waiting import ServerStoppingError, waiter
from onloop.event import LINE_END, Event
from onloop.running import running

__all__ = ["Event", "EventStreamResponse"]

HEARTBEAT_SECONDS = 15.0  # What the standard suggests, for proxies that drop idle connections.
RETRY_MILLISECONDS = 2_000


class EventStreamResponse(StreamingHttpResponse):
    """A response that sends events as an async generator yields them.

    The generator continues after its last event was sent, so a client that reads slowly makes it
    wait and nothing piles up. While it yields nothing for `heartbeat` seconds, comments keep the
    connection open. When the server is asked to stop, the stream ends with a last `retry:`, after
    which browsers connect again. The generator is closed with the response, as soon as the client
    disconnects.
    """

    def __init__(
        self, events: AsyncGenerator[Event], *, heartbeat: float = HEARTBEAT_SECONDS
    ) -> None:
        self._chunks = _chunks(events, heartbeat)
        super().__init__(
            self._chunks,
            content_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Django closes what it iterates, but not the iterator that lies within.
        async with aclosing(self._chunks):
            async for chunk in super().__aiter__():
                yield chunk


def encoded(event: Event) -> str:
    """Return the lines that carry an event."""
    fields = [f"event: {event.name}\n"]
    if event.id:
        fields.append(f"id: {event.id}\n")
    fields += (f"data: {line}\n" for line in LINE_END.split(event.data))
    return "".join(fields) + "\n"


def comment(text: str) -> str:
    """Return `text` as lines that every client ignores."""
    return "".join(f": {line}\n" for line in LINE_END.split(text)) + "\n"


async def _chunks(events: AsyncGenerator[Event], heartbeat: float) -> AsyncGenerator[str]:
    async with aclosing(events), waiter() as waiting:
        try:
            while True:
                async with running(_next(events)) as following:
                    while not await waiting.first_of(following, timeout=heartbeat):
                        yield comment("still here")
                    event = following.result()
                if event is None:
                    return
                yield encoded(event)
        except ServerStoppingError:
            yield f"retry: {RETRY_MILLISECONDS}\n\n"


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)

"""Server-sent events: a streaming response made of events.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from django.http import StreamingHttpResponse

from onloop.asgi.waiting import ServerStoppingError, waiter
from onloop.event import LINE_END, Event
from onloop.running import running

__all__ = ["Event", "EventStreamResponse"]

_HEARTBEAT_SECONDS = 15.0  # The standard suggests this, for proxies that drop idle connections.
_RETRY_MILLISECONDS = 2_000


class EventStreamResponse(StreamingHttpResponse):
    """A response that sends events as an async generator yields them.

    The generator continues only when its last event has been sent, so it waits for a client that
    reads slowly and nothing piles up. Whenever it yields nothing for `heartbeat` seconds, a comment
    keeps the connection open. When the server is told to stop, the stream ends with a `retry:`
    field, and browsers reconnect after that time. The generator is closed with the response, as
    soon as the client disconnects.
    """

    def __init__(
        self, events: AsyncGenerator[Event], *, heartbeat: float = _HEARTBEAT_SECONDS
    ) -> None:
        self._chunks = _chunks(events, heartbeat)
        super().__init__(
            self._chunks,
            content_type="text/event-stream",
            headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # Django closes the iterator that it gets, but not the one inside it.
        async with aclosing(self._chunks):
            async for chunk in super().__aiter__():
                yield chunk


def encoded(event: Event) -> str:
    """Return an event as the lines of a stream."""
    fields = [f"event: {event.name}\n"]
    if event.id:
        fields.append(f"id: {event.id}\n")
    fields += (f"data: {line}\n" for line in LINE_END.split(event.data))
    return "".join(fields) + "\n"


def comment(text: str) -> str:
    """Return `text` as a comment, which every client ignores."""
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
            yield f"retry: {_RETRY_MILLISECONDS}\n\n"


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)

"""Server-sent events: events in, a streaming response out.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from django.http import StreamingHttpResponse

from onloop.asgi.waiting import ServerStoppingError, waiter
from onloop.running import running

HEARTBEAT_SECONDS = 15.0  # What the standard suggests, for proxies that drop idle connections.
RETRY_MILLISECONDS = 2_000
LINE_END = re.compile("\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `str(event)` is how it travels.

    `data` may have several lines. Without data the browser dispatches nothing, but keeps the `id`,
    to send it as `Last-Event-ID` when it connects again, and the `retry` time in milliseconds.
    """

    data: str | None = None
    event: str | None = None
    id: str | None = None
    retry: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would end its line or be ignored.

        Raises:
            ValueError: `event` has a line break, `id` has one or a NUL, or `retry` is negative.
        """
        if self.event is not None and LINE_END.search(self.event):
            raise ValueError(f"event is {self.event!r}, but it must be one line.")
        if self.id is not None and (LINE_END.search(self.id) or "\0" in self.id):
            raise ValueError(f"id is {self.id!r}, but it must be one line without NUL.")
        if self.retry is not None and self.retry < 0:
            raise ValueError(f"retry is {self.retry}, but it must be zero or more milliseconds.")

    def __str__(self) -> str:
        fields = [
            f"{name}: {value}\n"
            for name, value in (("event", self.event), ("id", self.id), ("retry", self.retry))
            if value is not None
        ]
        if self.data is not None:
            fields += (f"data: {line}\n" for line in LINE_END.split(self.data))
        return "".join(fields) + "\n"


def comment(text: str) -> str:
    """Return `text` as lines that every client ignores."""
    return "".join(f": {line}\n" for line in LINE_END.split(text)) + "\n"


class EventStreamResponse(StreamingHttpResponse):
    """A response that sends events as an async generator yields them.

    The generator is asked for its next event after the last one was sent, so a client that reads
    slowly makes it wait and nothing piles up. While it has none for `heartbeat` seconds, comments
    keep the connection open. When the server is asked to stop, the stream ends with a last
    `retry:`, after which browsers connect again. The generator is closed with the response, at
    once when the client leaves.
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
                yield str(event)
        except ServerStoppingError:
            yield str(Event(retry=RETRY_MILLISECONDS))


async def _next(events: AsyncGenerator[Event]) -> Event | None:
    return await anext(events, None)

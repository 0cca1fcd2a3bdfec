"""The framing of server-sent events, and when the source of a stream is asked and closed."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from onloop.asgi.lifespan import stopping
from onloop.streams import Event, EventStreamResponse, comment, encoded

# https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (Event("n", "hello"), "event: n\ndata: hello\n\n"),
        (Event("n"), "event: n\ndata: \n\n"),
        (Event("n", " two spaces"), "event: n\ndata:  two spaces\n\n"),
        (Event("n", "a\nb\r\nc\rd"), "event: n\ndata: a\ndata: b\ndata: c\ndata: d\n\n"),
        (Event("n", "ends\n"), "event: n\ndata: ends\ndata: \n\n"),
        (Event("n", "a\u2028b\x0bc"), "event: n\ndata: a\u2028b\x0bc\n\n"),
        (Event("result", "x", "7"), "event: result\nid: 7\ndata: x\n\n"),
    ],
)
def test_framing(event: Event, text: str) -> None:
    assert encoded(event) == text


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": "a\nb"}, r"name is 'a\\nb', but it must be one line\."),
        ({"name": "a\rb"}, r"name is 'a\\rb', but it must be one line\."),
        ({"id": "1\n2"}, r"id is '1\\n2', but it must be one line without NUL\."),
        ({"id": "1\0"}, r"id is '1\\x00', but it must be one line without NUL\."),
    ],
)
def test_field_that_cannot_travel_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{sentence}$"):
        Event(**{"name": "n"} | fields)


def test_comment_has_no_line_that_could_be_a_field() -> None:
    assert comment("") == ": \n\n"
    assert comment("a\ndata: b\r\n\rc") == ": a\n: data: b\n: \n: c\n\n"


class Source:
    """Yields events without end and counts them."""

    def __init__(self) -> None:
        self.produced = 0
        self.closed = False

    async def events(self) -> AsyncGenerator[Event]:
        try:
            while True:
                self.produced += 1
                yield Event("n", str(self.produced))
        finally:
            self.closed = True


async def let_others_run() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


def test_headers() -> None:
    response = EventStreamResponse(Source().events())
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Accel-Buffering"] == "no"


async def test_next_event_is_requested_after_the_last_was_taken() -> None:
    source = Source()
    chunks = aiter(EventStreamResponse(source.events()))
    await let_others_run()
    assert source.produced == 0
    for number in (1, 2, 3):
        assert await anext(chunks) == b"event: n\ndata: %d\n\n" % number
        await let_others_run()
        assert source.produced == number


async def test_closing_the_iterator_closes_the_source() -> None:
    source = Source()
    chunks: Any = aiter(EventStreamResponse(source.events()))
    await anext(chunks)
    await chunks.aclose()
    assert source.closed


async def test_cancelling_the_reader_closes_the_source() -> None:
    waiting = asyncio.Event()
    closed = False

    async def silent() -> AsyncGenerator[Event]:
        nonlocal closed
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield Event("n", "never")
        finally:
            await asyncio.sleep(0)  # Closing may take its time.
            closed = True

    async def read() -> None:
        async for _ in EventStreamResponse(silent()):
            raise AssertionError

    reader = asyncio.create_task(read())
    await waiting.wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert closed
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stream_ends_with_its_source() -> None:
    async def two() -> AsyncGenerator[Event]:
        yield Event("n", "1")
        yield Event("n", "2")

    chunks = [chunk async for chunk in EventStreamResponse(two())]
    assert chunks == [b"event: n\ndata: 1\n\n", b"event: n\ndata: 2\n\n"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_stop_of_the_server_ends_a_stream_that_always_has_more() -> None:
    source = Source()
    chunks = aiter(EventStreamResponse(source.events()))
    await anext(chunks)
    stopping().set()
    await let_others_run()
    assert [chunk async for chunk in chunks] == [b"retry: 2000\n\n"]
    assert (source.produced, source.closed) == (1, True)


async def test_error_of_the_source_is_not_hidden() -> None:
    async def broken() -> AsyncGenerator[Event]:
        yield Event("n", "1")
        raise ZeroDivisionError

    chunks = aiter(EventStreamResponse(broken()))
    assert await anext(chunks) == b"event: n\ndata: 1\n\n"
    with pytest.raises(ZeroDivisionError):
        await anext(chunks)


async def test_comments_while_the_source_is_silent() -> None:
    speak = asyncio.Event()

    async def silent_at_first() -> AsyncGenerator[Event]:
        await speak.wait()
        yield Event("n", "at last")

    chunks = aiter(EventStreamResponse(silent_at_first(), heartbeat=0.001))
    assert [await anext(chunks) for _ in range(3)] == [b": still here\n\n"] * 3
    speak.set()
    async for chunk in chunks:
        if chunk != b": still here\n\n":
            assert chunk == b"event: n\ndata: at last\n\n"
            break
    else:
        raise AssertionError("The event is missing.")

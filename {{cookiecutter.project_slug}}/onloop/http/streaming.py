"""Answers whose body is still to be read."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import cast

from onloop.http._httpx import AsyncByteStream, ByteStream, Request, Response

_EVENT_STREAM = "text/event-stream"


def is_streamed(request: Request, response: Response) -> bool:
    """Return whether the caller reads the body of the answer piece by piece.

    It has said so with the extension `stream`, or the answer is an endless one by its type:
    https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    content_type = response.headers.get("Content-Type", "")
    return bool(request.extensions.get("stream")) or content_type.startswith(_EVENT_STREAM)


def is_buffered(response: Response) -> bool:
    """Return whether the whole body is in memory."""
    return isinstance(response.stream, ByteStream)


def close_with_stream(response: Response, resources: AsyncExitStack) -> None:
    """Close `resources` when the body of the response has been closed."""
    response.stream = _OwningStream(cast("AsyncByteStream", response.stream), resources)


class _OwningStream(AsyncByteStream):
    def __init__(self, stream: AsyncByteStream, resources: AsyncExitStack) -> None:
        self._stream = stream
        self._resources = resources

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        """Close the body, and what was held for it."""
        async with self._resources:
            await self._stream.aclose()

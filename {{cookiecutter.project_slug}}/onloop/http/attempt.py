"""One attempt of a call: its timeout, and the body of its answer."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from time import perf_counter
from typing import cast

from onloop.http._httpx import (
    AsyncBaseTransport,
    AsyncByteStream,
    ByteStream,
    DecodingError,
    ReadTimeout,
    Request,
    Response,
)
from onloop.http.exceptions import BodyTooLarge
from onloop.http.streaming import is_streamed

_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_COMPRESSED = {"gzip", "x-gzip", "deflate"}


type Measure = Callable[[float, BaseException | Response | None], None]
"""Is told of each attempt that has ended: its seconds, and its outcome; `None`: it succeeded."""


class AttemptTransport(AsyncBaseTransport):
    """Sends a request once, within its timeout, and reads the body of the answer.

    The timeout counts from now: from connecting to the last byte. It is the largest of httpx's
    timeouts for connecting, reading and writing; a call without one has no limit. A body has at
    most `max_bytes`, decompressed. A streamed one is left to the caller, for as long as it takes.
    """

    def __init__(self, next_: AsyncBaseTransport, *, max_bytes: int, measure: Measure) -> None:
        self._next = next_
        self._max_bytes = max_bytes
        self._measure = measure

    async def handle_async_request(self, request: Request) -> Response:
        """Return the response, with its body unless that is streamed.

        Raises:
            ReadTimeout: it did not arrive completely in time.
            BodyTooLarge: its body is too large.
            DecodingError: its body has a coding that was not asked for, or is not valid in it.
            HTTPError: the wire has failed.
        """
        start = perf_counter()
        seconds = _timeout(request.extensions.get("timeout", {}))
        try:
            response = await within(seconds, self._answer(request))
        except BaseException as error:
            self._measure(perf_counter() - start, error)
            raise
        self._measure(perf_counter() - start, response)
        return response

    async def _answer(self, request: Request) -> Response:
        response = await self._next.handle_async_request(request)
        if is_streamed(request, response):
            return response
        async with aclosing(response):
            return await self._read(response)

    async def _read(self, response: Response) -> Response:
        """Return the response with its body."""
        body = await self._body(response)
        headers = response.headers
        coding = headers.get("Content-Encoding", "identity").lower()
        if body and coding != "identity":
            body = self._decompressed(body, coding)
            headers = headers.copy()
            del headers["Content-Encoding"]
            headers["Content-Length"] = str(len(body))
        return Response(
            response.status_code,
            headers=headers,
            stream=ByteStream(body),
            extensions=response.extensions,
        )

    async def _body(self, response: Response) -> bytes:
        body = bytearray()
        # Not `aiter_raw()`: the responses of a mock have been read before.
        async for chunk in cast("AsyncByteStream", response.stream):
            body += chunk
            self._check_size(len(body))
        return bytes(body)

    def _decompressed(self, body: bytes, coding: str) -> bytes:
        """Return the body without its coding; a small one may have a huge body in it."""
        if coding not in _COMPRESSED:
            raise DecodingError("The server's answer has a coding that was not asked for.")
        decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
        try:
            whole = decoder.decompress(body, self._max_bytes + 1)
        except zlib.error as error:
            raise DecodingError("The server's answer is not valid in its coding.") from error
        self._check_size(len(whole))
        if not decoder.eof:
            raise DecodingError("The server's answer is cut off in its coding.")
        return whole

    def _check_size(self, count: int) -> None:
        if count > self._max_bytes:
            raise BodyTooLarge(f"The server's answer is larger than {self._max_bytes} bytes.")


async def within[T](seconds: float | None, answer: Awaitable[T]) -> T:
    """Await one attempt for at most so many seconds.

    Raises:
        ReadTimeout: it took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            return await answer
    except TimeoutError as error:
        raise ReadTimeout(f"The server did not answer within {seconds:g} s.") from error


def _timeout(timeouts: Mapping[str, float | None]) -> float | None:
    """Return the seconds that one attempt has, from httpx's timeouts of its phases."""
    phases = [timeouts.get(phase) for phase in ("connect", "read", "write")]
    limits = [seconds for seconds in phases if seconds is not None]
    return max(limits) if len(limits) == len(phases) else None

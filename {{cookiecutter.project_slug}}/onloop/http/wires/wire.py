"""What every wire promises, and the parts that wires share."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Final

from onloop.http._httpx import (
    AsyncBaseTransport,
    AsyncByteStream,
    HTTPStatusError,
    LocalProtocolError,
    Request,
    Response,
)
from onloop.http.exceptions import BodyTooLarge
from onloop.http.quota import BodyQuota
from onloop.observe.correlation import outgoing_headers

HEADERS: Final = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "Django",
}
KEEPALIVE_SECONDS = 4.0  # Below the 5 s of uvicorn: this side closes an idle connection first.
PREPARED_URLS = 4_096

type HeaderPairs = Sequence[tuple[bytes, bytes]] | Sequence[tuple[str, str]]

NO_NAME: Final = "The name of the server could not be resolved."
NO_CONNECTION: Final = "No connection to the server could be made."
BROKEN_ANSWER: Final = "The server's answer was cut off or is not valid HTTP."
INVALID_REQUEST: Final = "The request cannot be sent: it is not valid HTTP."


class Wire(AsyncBaseTransport, ABC):
    """Carries calls over the network. It is made on the event loop that it serves.

    A wire follows no redirects, keeps no cookies, decompresses nothing, and limits neither the
    duration nor the number of calls: that is for the layers above. It adds the default headers that
    a request lacks, and those that identify the current request (`onloop.observe.correlation`).

    A call can be cancelled at any point; its connection is then closed. One that failed may have
    been sent twice if its method is idempotent (RFC 9110, section 9.2.2), never otherwise.
    """

    @abstractmethod
    async def handle_async_request(self, request: Request) -> Response:
        """Send a request, and return the response with its body unread in `response.stream`.

        Iterating the stream yields the parts of the body as they arrive. Closing it gives its
        connection back, or closes that if the body was not read to its end.

        Errors also come from reading the stream. The request's own stream raises its errors here.

        Raises:
            DNSError: the name of the server or of the proxy could not be resolved.
            ConnectError: the server cannot be reached, or TLS or the proxy failed.
            ReadError, RemoteProtocolError: the answer was cut off or is not valid HTTP.
            LocalProtocolError: the request is not valid HTTP; nothing was sent.
        """

    @abstractmethod
    async def get_body(
        self,
        url: str,
        headers: Mapping[str, str],
        max_bytes: int,
        quota: BodyQuota | None,
        seconds: float | None = None,
    ) -> bytes:
        """Return the body of a 2xx response to `GET url`; it costs less than a whole response.

        `seconds` is when the caller cancels the call, for a wire that cannot end a cancelled call.
        For `handle_async_request` this is in the request's `timeout` extension.

        Raises:
            HTTPStatusError: the response has another status.
            BodyTooLarge: the body has more than `max_bytes` bytes.
            QuotaExceeded: the body is larger than what is left of the `quota`.
            TransportError: as from `handle_async_request`.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection. Calls in flight fail."""


class RequestBody:
    """The body of a request that is streamed, such as files.

    `error` is what the request's stream has raised, so that the caller sees that, and not the
    network error that a wire makes of it.
    """

    def __init__(self, request: Request) -> None:
        if not isinstance(request.stream, AsyncByteStream):
            raise RuntimeError("The body of the request is a sync iterator, not an async one.")
        self.error: Exception | None = None
        self._request = request
        self._stream = request.stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the parts of the body.

        Raises:
            LocalProtocolError: they have more or fewer bytes than the request's Content-Length.
                The rest of the connection would be read as another request (RFC 9112, section 6.3).
        """
        announced = self._request.headers.get("Content-Length")
        left = None if announced is None else int(announced)
        try:
            async for chunk in self._stream:
                if left is not None:
                    left -= len(chunk)
                    self._check(left >= 0)
                yield chunk
            self._check(not left)
        except Exception as error:
            self.error = error
            raise

    def _check(self, fits: bool) -> None:
        if not fits:
            message = "The body of the request is not as long as its Content-Length."
            raise LocalProtocolError(message, request=self._request)


def correlation(present: Iterable[str]) -> Mapping[str, str]:
    """Return the headers that identify the current request, unless they are already `present`."""
    headers = outgoing_headers()
    if not headers or not present:
        return headers
    names = {name.lower() for name in present}
    if "traceparent" in names:
        names.add("tracestate")  # Ours belongs to another trace.
    return {name: value for name, value in headers.items() if name.lower() not in names}


def request_headers(request: Request) -> list[tuple[str, str]]:
    """Return the headers of a request, with those that identify the current one.

    Raises:
        LocalProtocolError: one is not UTF-8, which is how both wires send text.
    """
    try:
        headers = [(name.decode("ascii"), value.decode()) for name, value in request.headers.raw]
    except UnicodeDecodeError as error:
        raise LocalProtocolError(INVALID_REQUEST, request=request) from error
    return [*headers, *correlation(name for name, _ in headers).items()]


def status_error(url: str, status: int, headers: HeaderPairs) -> HTTPStatusError:
    """Return the error for a status that is not 2xx."""
    note = " (a redirect, which is not followed)" if 300 <= status < 400 else ""
    message = f"The server answered with status {status}{note}."
    request = Request("GET", url)
    response = Response(status, headers=headers, request=request)
    return HTTPStatusError(message, request=request, response=response)


async def read_body(chunks: AsyncIterator[bytes], max_bytes: int, quota: BodyQuota | None) -> bytes:
    """Return the parts of a body as one.

    Raises:
        BodyTooLarge: there are more than `max_bytes` bytes.
        QuotaExceeded: there are more than the `quota` has left.
    """
    body = bytearray()
    try:
        async for chunk in chunks:
            if body:
                await asyncio.sleep(0)  # One read may have been parsed into many tiny chunks.
            body += chunk
            if quota:
                quota.take(len(chunk))
            if len(body) > max_bytes:
                raise BodyTooLarge(f"The server's answer is larger than {max_bytes} bytes.")
    except BaseException:
        if quota:
            quota.give_back(len(body))
        raise
    return bytes(body)

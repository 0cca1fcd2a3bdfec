"""HTTP/1.1 with aiohttp."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from yarl import URL

from onloop.http._httpx import (
    AsyncByteStream,
    ByteStream,
    ConnectError,
    HTTPError,
    LocalProtocolError,
    ReadError,
    RemoteProtocolError,
    Request,
    Response,
)
from onloop.http.exceptions import DNSError
from onloop.http.quota import BodyQuota
from onloop.http.wires.environment import proxy_for, ssl_context
from onloop.http.wires.wire import (
    BROKEN_ANSWER,
    HEADERS,
    INVALID_REQUEST,
    KEEPALIVE_SECONDS,
    NO_CONNECTION,
    NO_NAME,
    PREPARED_URLS,
    RequestBody,
    Wire,
    correlation,
    read_body,
    request_headers,
    status_error,
)

MAX_HEAD = 100 * 1024
HEAD_SLICE = 16 * 1024
READ_BUFFER = 64 * 1024


class AiohttpWire(Wire):
    """HTTP/1.1 with aiohttp.

    It repeats a call once, immediately, if the connection ends before the response starts and the
    method is idempotent: an idle connection may have ended just then.
    """

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=0,  # The layers above limit the calls.
                keepalive_timeout=KEEPALIVE_SECONDS,
                ssl=ssl_context(),
            ),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
        )
        self._prepare = lru_cache(PREPARED_URLS)(_prepared)

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request; see `Wire.handle_async_request()`."""
        headers = request_headers(request)
        body: bytes | RequestBody | None
        if isinstance(request.stream, ByteStream):
            body = request.read() or None
        else:
            body = RequestBody(request)
        try:
            url = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
            target, proxy = self._prepare(str(url))
            response = await self._session.request(
                request.method,
                target,
                headers=[item for item in headers if item[0].lower() != "transfer-encoding"],
                skip_auto_headers=("Content-Type",),
                data=body,
                proxy=proxy,
                allow_redirects=False,
            )
        except (aiohttp.ClientError, ValueError) as error:
            if isinstance(body, RequestBody) and body.error is not None:
                raise body.error from None
            raise _translated(error, request) from error
        version = response.version or aiohttp.HttpVersion11
        return Response(
            response.status,
            headers=response.raw_headers,
            stream=_ResponseBody(response, request),
            extensions={"http_version": b"HTTP/%d.%d" % version},
        )

    async def get_body(
        self,
        url: str,
        headers: Mapping[str, str],
        max_bytes: int,
        quota: BodyQuota | None,
        seconds: float | None = None,
    ) -> bytes:
        """Return the body of a 2xx response; see `Wire.get_body()`."""
        try:
            target, proxy = self._prepare(url)
            async with self._session.get(
                target,
                proxy=proxy,
                headers={**correlation(headers), **headers},
                allow_redirects=False,
            ) as response:
                if not 200 <= response.status < 300:
                    raise status_error(url, response.status, response.raw_headers)
                return await read_body(response.content.iter_any(), max_bytes, quota)
        except (aiohttp.ClientError, ValueError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


class _ResponseBody(AsyncByteStream):
    """The body of a response, as it arrives."""

    def __init__(self, response: aiohttp.ClientResponse, request: Request) -> None:
        self._response = response
        self._parts = response.content.iter_any()
        self._request = request
        self._begun = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._begun:
            await asyncio.sleep(0)  # One read may have been parsed into many tiny chunks.
        self._begun = True
        try:
            return await anext(self._parts)
        except aiohttp.ClientError as error:
            raise _translated(error, self._request) from error

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        self._response.release()
        await self._response.wait_for_close()


class _Connector(aiohttp.TCPConnector):
    """aiohttp's connector, with connections that limit the head of a response."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        connection: type[ResponseHandler] = _Connection
        self._factory = partial(connection, loop=self._loop)


class _Connection(ResponseHandler):
    """A connection that is closed when the head of a response exceeds `MAX_HEAD` bytes.

    Informational responses (1xx) count towards the head. aiohttp itself limits neither their number
    nor that of responses without a request, which nothing reads.
    """

    _awaited = False
    _continued = False
    _head = 0

    def set_response_params(self, **params: Any) -> None:
        """Start waiting for the response to a request."""
        self._awaited = True
        self._continued = False
        self._head = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Parse received data; in slices while it may belong to the head, as a body may follow."""
        while self._awaited and data:
            head, data = data[:HEAD_SLICE], data[HEAD_SLICE:]
            self._head += len(head)
            super().data_received(head)
            if self._awaited and self._head > MAX_HEAD:
                self._give_up(f"The head of the answer is longer than {MAX_HEAD} bytes.")
            if not data:
                return
        if self.exception() is None:
            super().data_received(data)

    def feed_data(
        self, data: tuple[RawResponseMessage, aiohttp.StreamReader], size: int = 0
    ) -> None:
        """Accept the parsed head of a response, and skip an informational one."""
        status = data[0].code
        if not self._awaited:
            self._give_up("The server sent a response without a request.")
        elif status >= 200 or status == HTTPStatus.SWITCHING_PROTOCOLS:
            self._awaited = False
            super().feed_data(data, size)
        elif status == HTTPStatus.CONTINUE and not self._continued:
            self._continued = True  # A request with `Expect` waits for the first one.
            super().feed_data(data, size)

    def _give_up(self, reason: str) -> None:
        self._awaited = False
        self.abort()
        self.set_exception(aiohttp.ClientPayloadError(reason))


def _prepared(url: str) -> tuple[URL, str | None]:
    return URL(url, encoded=url.isascii()), proxy_for(url)


def _translated(error: Exception, request: Request | None = None) -> HTTPError:
    match error:
        case aiohttp.ClientConnectorDNSError() | UnicodeError():  # The latter: not valid as a name.
            return DNSError(NO_NAME, request=request)
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return LocalProtocolError(INVALID_REQUEST, request=request)
        case aiohttp.ClientConnectorError() | aiohttp.ClientHttpProxyError():
            return ConnectError(NO_CONNECTION, request=request)
        case aiohttp.ClientOSError():
            return ReadError(BROKEN_ANSWER, request=request)
        case aiohttp.ClientError():
            return RemoteProtocolError(BROKEN_ANSWER, request=request)
        case _:
            return LocalProtocolError(INVALID_REQUEST, request=request)

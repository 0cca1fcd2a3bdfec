"""The transports of calls: aiohttp, or httpx for HTTP/2. Only this module uses either.

`settings.HTTP_TRANSPORT` selects one. httpx uses HTTP/2 if an https server offers it; its pool gets
slower with the number of calls in flight.

The connections of `AiohttpTransport` limit everything that an upstream sends before its final
response; httpx limits the headers only. With httpx, endless informational responses (1xx) end with
the timeout, and block the event loop for some 0.04 s at a time, the time to parse 64 KiB.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from functools import cache, lru_cache, partial
from http import HTTPStatus
from typing import Any, Protocol

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from yarl import URL

from onloop.http.environment import proxy_for, ssl_context
from onloop.http.errors import BadResponseError, BrokenAnswerError, ConnectError, DNSError
from onloop.http.limits import BodyQuota
from onloop.observe.correlation import outgoing_headers

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Django"}
KEEPALIVE_SECONDS = 4.0  # Below the 5 s of uvicorn: this side closes an idle connection first.
PREPARED_URLS = 4_096
MAX_HEAD = 100 * 1024  # As in h11, which carries the calls of httpx.
HEAD_SLICE = 16 * 1024
READ_BUFFER = 64 * 1024


class Transport(Protocol):
    """Makes the calls of one client, which limits their duration and number."""

    async def get(self, url: str, max_bytes: int, quota: BodyQuota | None) -> bytes:
        """Return the body of a 2xx response to `GET url`.

        Raises:
            DNSError, ConnectError, QuotaExceededError, BadResponseError: the call has failed.
            UnicodeError: the host is not a valid DNS name.
        """

    async def aclose(self) -> None:
        """Close every connection."""


class AiohttpTransport:
    """HTTP/1.1 with aiohttp."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=0,  # The client limits the calls.
                keepalive_timeout=KEEPALIVE_SECONDS,
                ssl=ssl_context("aiohttp"),
            ),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
        )
        self._prepare = lru_cache(PREPARED_URLS)(_aiohttp_target)

    async def get(self, url: str, max_bytes: int, quota: BodyQuota | None) -> bytes:
        """Return the body of a 2xx response; see `Transport.get()`."""
        target, proxy = self._prepare(url)
        try:
            async with self._session.get(
                target, proxy=proxy, headers=outgoing_headers(), allow_redirects=False
            ) as response:
                _check_status(response.status, response.headers)
                return await _read_body(response.content.iter_any(), max_bytes, quota)
        except aiohttp.ClientConnectorDNSError as error:
            raise DNSError from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            raise ConnectError from error
        except aiohttp.ClientError as error:
            raise BrokenAnswerError from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


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
    _head = 0

    def set_response_params(self, **params: Any) -> None:
        """Start waiting for the response to a request."""
        self._awaited = True
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
        if not self._awaited:
            self._give_up("The server sent a response without a request.")
        elif data[0].code >= 200 or data[0].code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._awaited = False
            super().feed_data(data, size)

    def _give_up(self, reason: str) -> None:
        self._awaited = False
        self.abort()
        self.set_exception(aiohttp.ClientPayloadError(reason))


class HttpxTransport:
    """HTTP/2, or HTTP/1.1 where a server has no HTTP/2, with httpx."""

    def __init__(self) -> None:
        self._ssl_context = ssl_context("httpx")
        self._transport = cache(self._open_transport)
        self._transports: list[httpx.AsyncHTTPTransport] = []
        self._prepare = lru_cache(PREPARED_URLS)(_httpx_target)

    def _open_transport(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(
            verify=self._ssl_context,
            http2=True,
            limits=httpx.Limits(
                max_connections=None,  # The client limits the calls.
                max_keepalive_connections=20,  # httpx's default; its pool is quadratic in this.
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            proxy=proxy,
        )
        self._transports.append(transport)
        return transport

    async def get(self, url: str, max_bytes: int, quota: BodyQuota | None) -> bytes:
        """Return the body of a 2xx response; see `Transport.get()`."""
        target, proxy = self._prepare(url)
        request = httpx.Request("GET", target, headers={**HEADERS, **outgoing_headers()})
        try:
            # AsyncClient would parse and merge much more for each call.
            response = await self._transport(proxy).handle_async_request(request)
            async with aclosing(response):
                _check_status(response.status_code, response.headers)
                return await _read_body(response.aiter_raw(), max_bytes, quota)
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise (DNSError if _is_dns(error) else ConnectError) from error
        except httpx.TransportError as error:
            raise BrokenAnswerError from error

    async def aclose(self) -> None:
        """Close every connection."""
        for transport in self._transports:
            await transport.aclose()


TRANSPORTS: dict[str, Callable[[], Transport]] = {
    "aiohttp": AiohttpTransport,
    "httpx": HttpxTransport,
}


def _aiohttp_target(url: str) -> tuple[URL, str | None]:
    return URL(url, encoded=url.isascii()), proxy_for(url)


def _httpx_target(url: str) -> tuple[httpx.URL, str | None]:
    return httpx.URL(url), proxy_for(url)


def _check_status(status: int, headers: Mapping[str, str]) -> None:
    if 200 <= status < 300:
        return
    note = " (a redirect, which is not followed)" if 300 <= status < 400 else ""
    message = f"The server answered with status {status}{note}."
    raise BadResponseError(message, status, headers.get("Retry-After"))


async def _read_body(
    chunks: AsyncIterator[bytes], max_bytes: int, quota: BodyQuota | None
) -> bytes:
    body = bytearray()
    try:
        async for chunk in chunks:
            if body:
                await asyncio.sleep(0)  # One read may have been parsed into many tiny chunks.
            body += chunk
            if quota:
                quota.take(len(chunk))
            if len(body) > max_bytes:
                raise BadResponseError(f"The server's answer is larger than {max_bytes} bytes.")
    except BaseException:
        if quota:
            quota.give_back(len(body))
        raise
    return bytes(body)


def _is_dns(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, socket.gaierror):
            return True
        cause = cause.__cause__ or cause.__context__
    return False

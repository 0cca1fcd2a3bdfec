"""HTTP calls to other servers. The one module that imports an HTTP client library.

An app asks for the client of the running event loop and sees one method and six errors, the same
on every transport::

    async with http_client() as client:
        body = await client.get(url, timeout=10.0, max_bytes=1_048_576)

``settings.HTTP_TRANSPORT`` chooses what carries the calls: ``aiohttp``, or ``httpx`` for HTTP/2
(spoken where an https server offers it; its pool slows down with the number of calls in flight).

aiohttp's connections bound what an upstream sends before its answer. httpx bounds the headers
alone: informational answers (1xx) end with the timeout, and hold the event loop for some 0.04 s at
a time, which is what parsing one read of 64 KiB takes.

The environment is read as users expect: ``HTTP_PROXY``, ``HTTPS_PROXY``, ``ALL_PROXY``,
``NO_PROXY``, ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``. Redirects are not followed, cookies are not
kept, and compression is not asked for: a body small on the wire is small in memory too.
The id and the trace of the request that calls are sent along (``onloop.observe.correlation``).
A call is made once, but aiohttp repeats it at once, and once, where the connection ends before the
answer begins. ``onloop.http.origins`` is for calls that are to survive more than that.
"""

import asyncio
import ipaddress
import os
import socket
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from functools import cache, lru_cache, partial
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import RawResponseMessage
from yarl import URL

from onloop.conf import settings
from onloop.observe.correlation import outgoing_headers
from onloop.per_loop import OnePerLoop

HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Django"}
MAX_CONNECTIONS = 1_000
KEEPALIVE_SECONDS = 4.0  # Below the 5 s of uvicorn: this side closes an idle connection first.
PREPARED_URLS = 4_096
MAX_HEAD = 100 * 1024  # As in h11, which carries the calls of httpx.
HEAD_SLICE = 16 * 1024
READ_BUFFER = 64 * 1024


class HTTPClientError(Exception):
    """A call that brought no body. Its text is a sentence for people, without the URL."""

    type: ClassVar[str]


class DNSError(HTTPClientError):
    """The name of the server, or of the proxy, has no address. Nothing was sent."""

    type = "dns_error"


class ConnectError(HTTPClientError):
    """No connection: refused, unreachable, TLS or the proxy failed. Nothing was sent."""

    type = "connect_error"


class PoolTimeoutError(HTTPClientError):
    """No connection of ours was free in time. Nothing was sent; the server may be well."""

    type = "pool_timeout"


class CallTimeoutError(HTTPClientError):
    """The whole body was not there in time, for whatever reason."""

    type = "timeout"


class BadResponseError(HTTPClientError):
    """A connection, but no complete, successful, acceptable answer on it.

    ``status`` is the answer's status code where that is what is wrong with it, ``retry_after`` the
    text of its ``Retry-After`` header (RFC 9110, section 10.2.3).
    """

    type = "bad_response"

    def __init__(
        self, message: str, status: int | None = None, retry_after: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class BrokenAnswerError(BadResponseError):
    """A connection that ended within the answer, or carried something other than HTTP."""


class QuotaExceededError(HTTPClientError):
    """The bodies of several calls would have been too much together."""

    type = "quota_exceeded"


class BodyQuota:
    """The bytes that the bodies of several calls may have together; one cut off does not count."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes

    def take(self, count: int) -> None:
        """Take the bytes that a call has read. Raises ``QuotaExceededError``."""
        self._left -= count
        if self._left < 0:
            message = f"The answers of all calls are larger than {self._max_bytes} bytes together."
            raise QuotaExceededError(message)

    def give_back(self, count: int) -> None:
        """Give back what a call had taken that has failed since."""
        self._left += count


class Client(ABC):
    """The HTTP client of one event loop. A transport implements ``_get`` and ``aclose``.

    It makes ``MAX_CONNECTIONS`` calls at a time; further ones wait here, in the order they came.
    So no transport's pool ever queues: that wait would count as the server's time, and httpcore
    loses a place in its pool for each call that is cancelled meanwhile
    (https://github.com/encode/httpcore/issues/1093).
    """

    def __init__(self) -> None:
        self._connections = asyncio.Semaphore(MAX_CONNECTIONS)

    async def get(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109
        max_bytes: int,
        quota: BodyQuota | None = None,
    ) -> bytes:
        """Return the body of a 2xx answer to ``GET url``.

        ``timeout`` is in seconds and total: from connecting to the last byte. A call may wait as
        long before, for one of our own connections to be free.
        A body longer than ``max_bytes``, or than what is left of the ``quota``, is given up as soon
        as that is known.
        Raises ``DNSError``, ``ConnectError``, ``CallTimeoutError``, ``PoolTimeoutError``,
        ``QuotaExceededError`` or ``BadResponseError``.
        """
        if self._connections.locked():
            await self._wait_for_connection(timeout)
        else:
            await self._connections.acquire()
        try:
            async with asyncio.timeout(timeout):
                return await self._get(url, max_bytes, quota)
        except TimeoutError as error:
            raise CallTimeoutError(f"The server did not answer within {timeout:g} s.") from error
        except UnicodeError as error:  # The host cannot be a name in the DNS (IDNA).
            raise _dns_error() from error
        finally:
            self._connections.release()

    async def _wait_for_connection(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._connections.acquire()
        except TimeoutError as error:
            raise PoolTimeoutError(f"No connection was free within {seconds:g} s.") from error

    @abstractmethod
    async def _get(self, url: str, max_bytes: int, quota: BodyQuota | None) -> bytes: ...

    @abstractmethod
    async def aclose(self) -> None:
        """Close every connection."""


class AiohttpClient(Client):
    def __init__(self) -> None:
        super().__init__()
        self._session = aiohttp.ClientSession(
            connector=_Connector(
                limit=0,  # MAX_CONNECTIONS is seen to above.
                keepalive_timeout=KEEPALIVE_SECONDS,
                ssl=_ssl_context("aiohttp", *_certificates()),
            ),
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            read_bufsize=READ_BUFFER,
        )
        self._prepare = lru_cache(PREPARED_URLS)(_aiohttp_target)

    async def _get(self, url: str, max_bytes: int, quota: BodyQuota | None) -> bytes:
        target, proxy = self._prepare(url)
        try:
            async with self._session.get(
                target, proxy=proxy, headers=outgoing_headers(), allow_redirects=False
            ) as response:
                _check_status(response.status, response.headers)
                return await _read(response.content.iter_any(), max_bytes, quota)
        except aiohttp.ClientConnectorDNSError as error:
            raise _dns_error() from error
        except (aiohttp.ClientConnectorError, aiohttp.ClientHttpProxyError) as error:
            raise _connect_error() from error
        except aiohttp.ClientError as error:
            raise _broken_answer() from error

    async def aclose(self) -> None:
        await self._session.close()


class _Connector(aiohttp.TCPConnector):
    """aiohttp's connector, with connections that bound the head of an answer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        connection: type[ResponseHandler] = _Connection
        self._factory = partial(connection, loop=self._loop)


class _Connection(ResponseHandler):
    """A connection that ends where an answer has a head longer than ``MAX_HEAD``.

    Informational answers (1xx) are part of that head. aiohttp itself bounds neither their number
    nor the answers that it has parsed and nobody reads, such as those that nobody asked for.
    """

    _awaited = False
    _head = 0

    def set_response_params(self, **params: Any) -> None:
        """Begin to wait for the answer to a request."""
        self._awaited = True
        self._head = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Parse what has come; in slices while it may be the head, since a body may follow."""
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
        """Take a head that was parsed."""
        if not self._awaited:
            self._give_up("There is an answer to no request.")
        elif data[0].code >= 200 or data[0].code == HTTPStatus.SWITCHING_PROTOCOLS:
            self._awaited = False
            super().feed_data(data, size)

    def _give_up(self, reason: str) -> None:
        self._awaited = False
        self.abort()
        self.set_exception(aiohttp.ClientPayloadError(reason))


class HttpxClient(Client):
    def __init__(self) -> None:
        super().__init__()
        self._ssl_context = _ssl_context("httpx", *_certificates())
        self._transport = cache(self._open_transport)
        self._transports: list[httpx.AsyncHTTPTransport] = []
        self._prepare = lru_cache(PREPARED_URLS)(_httpx_target)

    def _open_transport(self, proxy: str | None) -> httpx.AsyncHTTPTransport:
        transport = httpx.AsyncHTTPTransport(
            verify=self._ssl_context,
            http2=True,
            limits=httpx.Limits(
                max_connections=None,  # MAX_CONNECTIONS is seen to above.
                max_keepalive_connections=20,  # httpx's default. Its pool is quadratic in this.
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            proxy=proxy,
        )
        self._transports.append(transport)
        return transport

    async def _get(self, url: str, max_bytes: int, quota: BodyQuota | None) -> bytes:
        target, proxy = self._prepare(url)
        request = httpx.Request("GET", target, headers={**HEADERS, **outgoing_headers()})
        try:
            # Straight to the transport: AsyncClient would parse and merge much more for each call.
            response = await self._transport(proxy).handle_async_request(request)
            async with aclosing(response):
                _check_status(response.status_code, response.headers)
                return await _read(response.aiter_raw(), max_bytes, quota)
        except (httpx.ConnectError, httpx.ProxyError) as error:
            raise (_dns_error() if _is_dns(error) else _connect_error()) from error
        except httpx.TransportError as error:
            raise _broken_answer() from error

    async def aclose(self) -> None:
        for transport in self._transports:
            await transport.aclose()


TRANSPORTS: dict[str, type[Client]] = {"aiohttp": AiohttpClient, "httpx": HttpxClient}


@asynccontextmanager
async def _open_client() -> AsyncIterator[Client]:
    client = TRANSPORTS[settings.HTTP_TRANSPORT]()
    try:
        yield client
    finally:
        await client.aclose()


_clients = OnePerLoop(_open_client)


def shared_http_client() -> AbstractAsyncContextManager[None]:
    """Keep one client open on the running event loop. A resource of the ASGI lifespan."""
    return _clients.kept_open()


def http_client() -> AbstractAsyncContextManager[Client]:
    """A block with the client of the running event loop, or, without a lifespan, one of its own."""
    return _clients.client()


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy the environment names for ``url``, if any.

    ``NO_PROXY`` is read as ``urllib.request`` does. A loopback address is never asked of a proxy,
    as in Go's ``http.ProxyFromEnvironment``: the proxy's loopback is another machine's.
    Raises ``ConnectError`` for a proxy that is not HTTP.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if _is_loopback(host) or proxy_bypass(host):
        return None
    proxies = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy:
        return None
    if "://" not in proxy:
        proxy = f"http://{proxy}"
    if not proxy.startswith(("http://", "https://")):
        raise ConnectError("The environment names a proxy that is neither http:// nor https://.")
    return proxy


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _certificates() -> tuple[str | None, str | None]:
    return os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")


@cache
def _ssl_context(transport: str, cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:
    # Reading the certificates takes some 20 ms: once per process, not once per one-off client.
    # One for each transport: httpx sets the protocols to negotiate on the context it is given.
    return httpx.create_ssl_context()


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


async def _read(chunks: AsyncIterator[bytes], max_bytes: int, quota: BodyQuota | None) -> bytes:
    body = bytearray()
    try:
        async for chunk in chunks:
            if body:
                await asyncio.sleep(0)  # What has come may be parsed in many tiny pieces.
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


def _dns_error() -> DNSError:
    return DNSError("The name of the server could not be resolved.")


def _connect_error() -> ConnectError:
    return ConnectError("No connection to the server could be made.")


def _broken_answer() -> BrokenAnswerError:
    return BrokenAnswerError("The server's answer was cut off or is not valid HTTP.")

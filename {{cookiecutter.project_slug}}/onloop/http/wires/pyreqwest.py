"""HTTP/2, or HTTP/1.1 where a server has no HTTP/2, with pyreqwest: the extra `fast`.

pyreqwest is reqwest and hyper, in Rust, on a thread of their own. In version 0.15 this means:

* A cancelled call is forgotten here at once, but goes on there until the head of the response has
  arrived, or until the time that the caller allows has passed. It keeps its connection for so long,
  and may still be sent. A call without such a time ends after `MAX_SILENCE` seconds in which
  the server sends nothing.
* That time also ends a response of an endless stream, unless the request has the extension
  `stream`.
* The head of a response may have 100 headers and some 800 KiB. Informational responses (1xx) and
  the digits of a chunk's size are limited by the time of the call only. A hostile server that sends
  either without an end does not hold up the event loop, but for seconds every other call.
* Headers with a value that is not ASCII are left out, because pyreqwest cannot read them.
"""

import asyncio
import atexit
import time
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, partial
from typing import Self, cast

from pyreqwest.client import Client, ClientBuilder
from pyreqwest.exceptions import BuilderError, DetailedPyreqwestError, RequestTimeoutError
from pyreqwest.http import Url
from pyreqwest.proxy import ProxyBuilder
from pyreqwest.request import RequestBuilder
from pyreqwest.response import Response as Answer

from onloop.http._httpx import (
    AsyncByteStream,
    ByteStream,
    ConnectError,
    HTTPError,
    LocalProtocolError,
    ReadError,
    ReadTimeout,
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

READ_BUFFER = 64 * 1024
MAX_SILENCE = 300.0
EXIT_SECONDS = 0.05
SLACK = 0.1  # Seconds. The caller, if it is still there, gives up first.

# pyreqwest's thread may still be returning from the wake-up of this one, and wait for the GIL. Let
# it have that now: a thread that waits while the interpreter ends makes Python abort.
atexit.register(time.sleep, EXIT_SECONDS)


class ReqwestError(Exception):
    """What failed in reqwest, as the cause of an error of httpx."""


class PyreqwestWire(Wire):
    """HTTP/2 or HTTP/1.1 with pyreqwest.

    It repeats a call only if the server cannot have processed it.
    """

    def __init__(self) -> None:
        self._clients: dict[str | None, Client] = {None: _open_client()}
        self._prepare = lru_cache(PREPARED_URLS)(self._prepared)

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request; see `Wire.handle_async_request()`."""
        url = request.url.copy_with(userinfo=b"") if request.url.userinfo else request.url
        host = url.netloc.decode("ascii")
        headers = request_headers(request)
        upload: _Upload | None = None
        try:
            builder = self._begin(request.method, str(url))
            # HTTP/2 has another place for the host, which hyper fills in either case.
            builder.headers([item for item in headers if item != ("Host", host)])
            if not isinstance(request.stream, ByteStream):
                upload = _Upload(request)
                builder.body_stream(upload)
            elif body := request.read():
                builder.body_bytes(body)
            call = _Call(builder, read_ahead=0, seconds=_seconds(request), upload=upload)
            answer = await call.send()
        except (DetailedPyreqwestError, ValueError) as error:
            if upload and upload.body.error is not None:
                raise upload.body.error from None
            raise _translated(error, request) from _reason(error)
        call.request = request
        return Response(
            answer.status,
            headers=_headers(answer),
            stream=call,
            extensions={"http_version": _version(answer)},
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
            builder = self._begin("GET", url).headers({**correlation(headers), **headers})
            call = _Call(builder, read_ahead=READ_BUFFER, seconds=seconds)
            answer = await call.send()
            try:
                if not 200 <= answer.status < 300:
                    raise status_error(url, answer.status, _headers(answer))
                return await read_body(call, max_bytes, quota)
            except BaseException:
                await call.aclose()
                raise
        except (DetailedPyreqwestError, ValueError) as error:
            raise _translated(error) from _reason(error)

    async def aclose(self) -> None:
        """Close the idle connections, and end the wait of calls in flight."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()
        self._prepare.cache_clear()

    def _begin(self, method: str, url: str) -> RequestBuilder:
        target, client = self._prepare(url)
        return client.request(method, target)

    def _prepared(self, url: str) -> tuple[Url, Client]:
        proxy = proxy_for(url)
        if proxy not in self._clients:
            self._clients[proxy] = _open_client(proxy)
        return Url(url), self._clients[proxy]


class _Call(AsyncByteStream):
    """A call, and the body of its response."""

    request: Request | None = None

    def __init__(
        self,
        builder: RequestBuilder,
        *,
        read_ahead: int,
        seconds: float | None,
        upload: "_Upload | None" = None,
    ) -> None:
        """Prepare a call; `read_ahead` is how many bytes of the body are awaited with the head."""
        builder.streamed_read_buffer_limit(read_ahead)
        if seconds is not None:
            builder.timeout(timedelta(seconds=seconds + SLACK))
        self._streamed = builder.build_streamed()
        self._read_ahead = read_ahead
        self._begun = False
        self._upload = upload

    async def send(self) -> Answer:
        """Return the response."""
        try:
            answer = await _unless_cancelled(self._streamed.__aenter__())
        except BaseException:
            await self.aclose()
            raise
        reader = answer.body_reader
        self._read = partial(reader.read, READ_BUFFER) if self._read_ahead else reader.read_chunk
        return answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._begun:
            await asyncio.sleep(0)  # The next part may be there without a wait.
        self._begun = True
        try:
            part = await _unless_cancelled(self._read())
        except DetailedPyreqwestError as error:
            raise _translated(error, self.request) from _reason(error)
        if part is None:
            raise StopAsyncIteration
        return part.to_bytes()

    async def aclose(self) -> None:
        """Give the connection back, or close it if the body was not read to its end."""
        if self._upload:
            self._upload.abort()
        with suppress(RuntimeError):  # There is no response, or it is closed already.
            await self._streamed.__aexit__(None, None, None)


class _Upload:
    """The streamed body of a request. pyreqwest reads each part of it in a task of its own."""

    def __init__(self, request: Request) -> None:
        self.body = RequestBody(request)
        self._parts = aiter(self.body)
        self._task: asyncio.Task[None] | None = None
        self._aborted = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._aborted:
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        try:
            return await anext(self._parts)
        finally:
            self._task = None

    def abort(self) -> None:
        """End the body with an error, unless it has ended."""
        self._aborted = True
        if self._task:
            self._task.cancel()


async def _unless_cancelled[T](result: Awaitable[T]) -> T:
    """Return the result, unless the current task was cancelled meanwhile.

    pyreqwest returns a result that arrives together with the cancellation, so that nobody would
    learn of the cancellation.
    """
    before = _cancellations()
    value = await result
    if _cancellations() > before:
        raise asyncio.CancelledError
    return value


def _cancellations() -> int:
    # A task in a variable above would be part of a cycle with the task's own error.
    return cast("asyncio.Task[object]", asyncio.current_task()).cancelling()


def _open_client(proxy: str | None = None) -> Client:
    builder = (
        ClientBuilder()
        .no_proxy()  # Not pyreqwest's own reading of the environment.
        .http2(True)
        # All calls share one connection: do not wait minutes for TCP to notice that it is dead.
        .http2_keep_alive_interval(timedelta(seconds=10))
        .http2_keep_alive_timeout(timedelta(seconds=10))
        .follow_redirects(False)
        .referer(False)
        .gzip(False)
        .brotli(False)
        .deflate(False)
        .zstd(False)
        .default_headers(HEADERS)
        .pool_idle_timeout(timedelta(seconds=KEEPALIVE_SECONDS))
        .read_timeout(timedelta(seconds=MAX_SILENCE))
    )
    # The other wire's authorities; pyreqwest adds the system's, or those of the environment.
    for certificate in ssl_context().get_ca_certs(binary_form=True):
        builder.add_root_certificate_der(certificate)
    if proxy:
        builder.proxy(ProxyBuilder.all(proxy))
    return builder.build()


def _seconds(request: Request) -> float | None:
    """Return how long the caller waits for the whole response, if it waits for that."""
    timeout = request.extensions.get("timeout")
    if not timeout or request.extensions.get("stream"):
        return None
    seconds = [timeout.get(name) for name in ("connect", "read", "write")]
    return None if None in seconds else max(seconds)


def _version(answer: Answer) -> bytes:
    return b"HTTP/2" if answer.version == "HTTP/2.0" else answer.version.encode()


def _headers(answer: Answer) -> list[tuple[str, str]]:
    headers: list[tuple[str, str]] = []
    items = iter(answer.headers.items())
    while True:
        try:
            headers.append(next(items))
        except StopIteration:
            return headers
        except ValueError:  # Not ASCII.
            continue


def _reason(error: Exception) -> Exception:
    """Return the error as a short one, without the URL, which pyreqwest's own has."""
    if isinstance(error, DetailedPyreqwestError):
        return ReqwestError(": ".join(_causes(error)[1:] or [error.message]))
    return error


def _causes(error: DetailedPyreqwestError) -> list[str]:
    return [cause["message"] for cause in error.details["causes"] or ()]


def _translated(error: Exception, request: Request | None = None) -> HTTPError:
    if not isinstance(error, DetailedPyreqwestError):  # ValueError
        if "domain name" in str(error):
            return DNSError(NO_NAME, request=request)
        return LocalProtocolError(INVALID_REQUEST, request=request)
    causes = _causes(error)
    if "dns error" in causes:
        return DNSError(NO_NAME, request=request)
    if "client error (Connect)" in causes:
        return ConnectError(NO_CONNECTION, request=request)
    if isinstance(error, RequestTimeoutError):
        return ReadTimeout("The server did not answer in time.", request=request)
    if isinstance(error, BuilderError):
        return LocalProtocolError(INVALID_REQUEST, request=request)
    if any("(os error" in cause for cause in causes):
        return ReadError(BROKEN_ANSWER, request=request)
    return RemoteProtocolError(BROKEN_ANSWER, request=request)

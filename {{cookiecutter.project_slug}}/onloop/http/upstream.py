"""Upstreams: the services that a project calls, one declaration each.

::

    prices = Upstream("prices", base_url="https://prices.example.com", retries=2, rate="100/minute")

    response = await prices.get("/quote", params={"sku": sku})
    response.raise_for_status()

An `Upstream` is an `httpx.AsyncClient`: its methods, answers and errors are those of httpx. Below
them, each concern is a transport around the next one:

    cache, single-flight, deadline, circuit breaker, retries, rate, hedging, bulkhead, attempt, wire

A retry thus takes its turn under the rate limit like any other call, and the breaker learns of a
call once, after its retries. `upstream.transport` is this stack, for the client of somebody's SDK::

    sdk = SomeSDK(http_client=httpx.AsyncClient(transport=prices.transport))
"""

import re
from base64 import b64encode
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Self
from urllib.parse import unquote_to_bytes

from onloop.http._httpx import (
    URL,
    AsyncBaseTransport,
    AsyncClient,
    Auth,
    InvalidURL,
    Request,
    Response,
    Timeout,
)
from onloop.http.breaker import Breaker
from onloop.http.cache import Cache
from onloop.http.exceptions import BodyTooLarge, ForeignURLError, status_error
from onloop.http.quota import BodyQuota
from onloop.http.rate import Rate
from onloop.http.stack import Figures, Options, Stack
from onloop.http.wires.wire import HEADERS

_NAME = re.compile("[a-z][a-z0-9_-]{0,62}")
_READABLE_CODINGS = {"identity", "gzip", "deflate", "gzip, deflate"}


class Upstream(AsyncClient):
    """A service that the project calls. Declare each one once, in a module.

    Its state (circuit, cache, connections, ...) is shared by all requests of the process, and lost
    with it. It needs no `async with` and is never closed.

    Args:
        name: its name in logs, metrics, traces and `/readyz`: lower-case letters, digits, `-`, `_`.
        base_url: where it is, or a function that returns it. Other servers cannot be called.
        headers: sent with each call, for instance `Authorization`. Never logged.
        auth: as in httpx.
        timeout: seconds that one attempt may take, and seconds that it may wait for a connection
            before; or an `httpx.Timeout`, whose `pool` is that wait.
        retries: the most retries of a call that may be repeated (RFC 9110, section 9.2.2);
            `None`: `settings.HTTP_RETRIES`.
        hedge: whether a slow call gets a second copy; `None`: `settings.HTTP_HEDGING`.
        breaker: when its circuit opens; `None`: as the settings `HTTP_BREAKER_*` say.
        max_connections: the most calls at a time; further ones wait.
        rate: what it allows us, such as `"100/minute"`; further calls wait in line.
        coalesce: whether identical GET requests in flight are one call. A cache implies it.
        cache: keeps its answers; see docs/caching.md.
        max_bytes: the most bytes of a body that is not streamed.
        follow_redirects: whether to follow redirects, to the same server only.
        deadline_header: the header for the milliseconds that the caller has left, if any.

    Raises:
        ValueError: another upstream has this name, or an argument is not valid.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str | Callable[[], str],
        headers: Mapping[str, str] | None = None,
        auth: Auth | tuple[str, str] | None = None,
        timeout: float | Timeout = 10.0,
        retries: int | None = None,
        hedge: bool | None = None,
        breaker: Breaker | None = None,
        max_connections: int = 100,
        rate: str | None = None,
        coalesce: bool = False,
        cache: Cache | None = None,
        max_bytes: int = 1024**2,
        follow_redirects: bool = False,
        deadline_header: str | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            accepted = "lower-case letters, digits, - and _, the first of them a letter"
            raise ValueError(f"The name of an upstream is {name!r}, but it must be {accepted}.")
        if name in _upstreams:
            raise ValueError(f"There are two upstreams with the name {name!r}.")
        if isinstance(base_url, str) and not _is_http(base_url):
            accepted = "an absolute http or https URL"
            raise ValueError(f"base_url={base_url!r} of {name}, but it must be {accepted}.")
        self.name = name
        self._find = base_url if callable(base_url) else lambda: base_url
        self._options = Options(
            name=name,
            retries=retries,
            hedge=hedge,
            breaker=breaker,
            max_connections=max_connections,
            rate=Rate.parse(rate) if rate else None,
            coalesce=coalesce,
            cache=cache,
            max_bytes=max_bytes,
            deadline_header=deadline_header,
        )
        self._base = ""
        self._stack: Stack | None = None
        self.transport: AsyncBaseTransport = _Door(self)
        self._sent_headers = {**HEADERS, **(headers or {})}
        super().__init__(
            headers=self._sent_headers,
            auth=auth,
            timeout=timeout,
            follow_redirects=follow_redirects,
            transport=self.transport,
            trust_env=False,  # The wire reads the environment.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # Of whom would they be?
        )
        del self.headers["Connection"]  # HTTP/2 has none, and HTTP/1.1 keeps it alive anyway.
        _upstreams[name] = self

    def __repr__(self) -> str:
        return f"<Upstream {self.name}>"

    @property
    def stack(self) -> Stack:
        """The transports, made when they are first needed: Django's settings may come late."""
        if self._stack is None:
            self._stack = Stack(self._options)
        return self._stack

    def build_request(self, method: str, url: URL | str, **options: Any) -> Request:
        """Return a request, as in httpx. Credentials in its URL become a header."""
        base = self._find()
        if base != self._base:
            self.base_url = self._base = base
        request = super().build_request(method, url, **options)
        if userinfo := request.url.userinfo:
            basic = b"Basic " + b64encode(unquote_to_bytes(userinfo))
            request.headers.setdefault("Authorization", basic.decode())
            request.url = request.url.copy_with(userinfo=b"")
        return request

    async def send(self, request: Request, *, stream: bool = False, **options: Any) -> Response:
        """Send a request, as in httpx.

        Raises:
            HTTPError: there is no answer; see `onloop.http.exceptions` for the errors of ours.
        """
        request.extensions = {**request.extensions, "stream": stream}
        return await super().send(request, stream=stream, **options)

    async def get_body(
        self,
        url: str,
        *,
        timeout: float,  # noqa: ASYNC109
        max_bytes: int,
        quota: BodyQuota | None = None,
    ) -> bytes:
        """Return the body of a successful answer to `GET url`, for a fan-out of many calls.

        It is the same as `get()` with `raise_for_status()`, faster where there is neither cache,
        single-flight, rate nor `auth`. Bodies count towards the `quota`.

        Raises:
            HTTPError: the last attempt has failed, with this error.
        """
        if self.stack.has_short_way and self.auth is None:
            return await self.stack.get_body(
                url, self._sent_headers, timeout=timeout, max_bytes=max_bytes, quota=quota
            )
        response = await self.get(url, timeout=timeout)
        if not response.is_success:
            raise status_error(response)
        if len(response.content) > max_bytes:
            raise BodyTooLarge(f"The server's answer is larger than {max_bytes} bytes.")
        if quota:
            quota.take(len(response.content))
        return response.content

    async def aclose(self) -> None:
        """Do nothing: what an upstream holds belongs to the process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def figures(self) -> Figures:
        """Return what is known of the upstream now."""
        return self.stack.figures()

    @contextmanager
    def mock(self, transport: AsyncBaseTransport) -> Iterator[None]:
        """Send the requests of a block to `transport` instead of the network, for a test.

        For instance to an `httpx.MockTransport`. All concerns above the wire stay.
        """
        wire = self.stack.wire
        previous, wire.mocked = wire.mocked, transport
        try:
            yield
        finally:
            wire.mocked = previous

    def forget(self) -> None:
        """Start with new state, as after a restart of the process, for a test."""
        self._stack = None

    def check(self, request: Request) -> None:
        """Check that a request goes to this upstream.

        Raises:
            ForeignURLError: it does not, for instance because of a redirect.
        """
        if _origin(request.url) != _origin_of(self._find()):
            server = f"{request.url.scheme}://{request.url.netloc.decode('ascii')}"
            message = f"{server} is not the server of the upstream {self.name}."
            raise ForeignURLError(message, request=request)


class _Door(AsyncBaseTransport):
    """The outermost transport of an upstream, for its own requests and for those of an SDK."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def handle_async_request(self, request: Request) -> Response:
        self._upstream.check(request)
        if request.headers.get("Accept-Encoding", "identity") not in _READABLE_CODINGS:
            request.headers["Accept-Encoding"] = "gzip, deflate"
        return await self._upstream.stack.transport.handle_async_request(request)


_upstreams: dict[str, Upstream] = {}


def upstreams() -> Collection[Upstream]:
    """Return the upstreams that have been declared so far."""
    return _upstreams.values()


def _is_http(text: str) -> bool:
    try:
        url = URL(text)
    except (InvalidURL, UnicodeError):
        return False
    return url.scheme in {"http", "https"} and bool(url.host)


@lru_cache(maxsize=256)
def _origin_of(url: str) -> tuple[str, str, int | None]:
    return _origin(URL(url))


def _origin(url: URL) -> tuple[str, str, int | None]:
    """Return the scheme, host and port (RFC 6454)."""
    return url.scheme, url.host, url.port

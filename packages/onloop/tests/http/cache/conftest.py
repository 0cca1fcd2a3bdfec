"""An upstream in memory, a clock that the tests set, and calls through a cache."""

from collections.abc import Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx
import pytest
from django.utils.http import http_date

from onloop.http.cache import Cache, CacheTransport

type Caching = Callable[..., "Calls"]


class Clock:
    """The Unix time, in seconds."""

    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now

    def header(self, seconds: float = 0) -> str:
        """The time so many seconds from now, as in the headers of HTTP."""
        return http_date(self.now + seconds)


class Origin:
    """An upstream that answers as `reply()` or `fail()` has said last, and notes its requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response]
        self.reply()

    def reply(
        self, body: str = "", status: int = 200, *more: tuple[str, str], **headers: str
    ) -> None:
        """Answer so; `cache_control="no-store"` is the header `cache-control`."""
        named = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.answer = lambda _: httpx.Response(
            status, headers=[*named, *more], stream=httpx.ByteStream(body.encode())
        )

    def fail(self, error: Exception) -> None:
        def answer(_: httpx.Request) -> httpx.Response:
            raise error

        self.answer = answer

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer(request)


class ClosedStream(httpx.AsyncByteStream):
    """A body that is not read, but has to be closed."""

    is_closed = False

    async def aclose(self) -> None:
        self.is_closed = True


class Calls:
    """Calls to an origin through a cache."""

    def __init__(self, next_: httpx.AsyncBaseTransport, cache: Cache, clock: Clock) -> None:
        self.transport = CacheTransport(next_, "origin", cache, clock=clock)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
        self._client = httpx.AsyncClient(
            transport=self.transport, base_url="http://origin", cookies=no_cookies
        )

    async def get(self, path: str = "/", **headers: str) -> httpx.Response:
        return await self.send("GET", path, **headers)

    async def send(self, method: str, path: str = "/", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.request(method, path, headers=named)

    async def outcome(self, path: str = "/", **headers: str) -> str | None:
        """How a GET was answered: hit, stale, revalidated, miss; `None`: not by the cache."""
        return (await self.get(path, **headers)).extensions.get("cache")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def origin() -> Origin:
    return Origin()


@pytest.fixture
def caching(origin: Origin, clock: Clock) -> Caching:
    """Make `Calls` to the origin through a cache of their own, declared so."""

    def make(cache: Cache | None = None) -> Calls:
        return Calls(httpx.MockTransport(origin), cache or Cache(), clock)

    return make


@pytest.fixture
def calls(caching: Caching) -> Calls:
    """Calls through a private cache without any declaration."""
    return caching()


@pytest.fixture
def shared(caching: Caching) -> Calls:
    """Calls through a shared cache without any other declaration."""
    return caching(Cache(shared=True))

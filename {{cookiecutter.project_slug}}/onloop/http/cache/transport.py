"""The transport that answers from the cache, and keeps what the next one answers."""

from collections.abc import Callable
from functools import partial
from time import time

from onloop.http._httpx import (
    URL,
    AsyncBaseTransport,
    ByteStream,
    InvalidURL,
    Request,
    RequestError,
    Response,
)
from onloop.http.cache.answers import Outcome, StoredResponse
from onloop.http.cache.declaration import Cache
from onloop.http.cache.reuse import (
    NO_WISHES,
    Use,
    Wishes,
    bypasses,
    helps_on_error,
    use_of,
    validating,
    wishes,
)
from onloop.http.cache.revalidation import REVALIDATION_SECONDS, Revalidations
from onloop.http.cache.shelf import Place, Shelf
from onloop.http.cache.storing import ERRORS, Received, is_about, is_same, updated
from onloop.http.exceptions import PASSING_STATUSES

_SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}  # RFC 9110, section 9.2.1
_RETRY_SECONDS = 5.0  # How long nobody tries again after a failed revalidation.


class CacheTransport(AsyncBaseTransport):
    """Answers GET and HEAD from what is stored of one upstream; see `onloop.http.cache.Cache`.

    `response.extensions["cache"]` is `"hit"`, `"stale"`, `"revalidated"` or `"miss"`, and there is
    none where the cache has no part: other methods, streams, parts, and requests with `no-store`.

    Attributes:
        hits, stale, revalidated, misses: how many calls were answered so in this process.
    """

    def __init__(
        self,
        next_: AsyncBaseTransport,
        name: str,
        cache: Cache,
        *,
        clock: Callable[[], float] = time,
    ) -> None:
        self.hits = 0
        self.stale = 0
        self.revalidated = 0
        self.misses = 0
        self._next = next_
        self._clock = clock
        self._shelf = Shelf(name, cache)
        self._revalidations = Revalidations(name)

    async def handle_async_request(self, request: Request) -> Response:
        """Return the answer to a request, from the cache or from the next transport.

        Raises:
            HTTPError: the next transport has failed, and nothing stored may replace its answer.
        """
        if request.method not in ("GET", "HEAD"):
            return await self._pass_on(request)
        if bypasses(request):
            return await self._next.handle_async_request(request)
        wished = wishes(request)
        place = await self._shelf.find(request)
        if place.stored:
            use = use_of(place.stored, wished, self._clock())
            if use is Use.FRESH:
                return self._reuse(place.stored, "hit", request)
            if use is Use.WHILE_REVALIDATING and not wished.only_if_cached:
                self._revalidate_later(request, place.key)
            if use is not Use.TO_VALIDATE:
                return self._reuse(place.stored, "stale", request)
        if wished.only_if_cached:
            self.misses += 1
            return Response(504, extensions={"cache": "miss"})
        return await self._fetch(request, place, wished)

    async def aclose(self) -> None:
        """End the revalidations on the running event loop, and close the next transport."""
        await self._revalidations.end()
        await self._next.aclose()

    def _reuse(self, stored: StoredResponse, outcome: Outcome, request: Request) -> Response:
        if outcome == "hit":
            self.hits += 1
        else:
            self.stale += 1
        return stored.response(outcome, request.method, self._clock())

    async def _fetch(self, request: Request, place: Place, wished: Wishes) -> Response:
        """Return the upstream's answer, or the stored one if the upstream has failed."""

        def replacement() -> StoredResponse | None:
            stored = place.stored
            return stored if stored and helps_on_error(stored, wished, self._clock()) else None

        try:
            response = await self._refresh(request, place)
        except RequestError:
            if stored := replacement():
                return self._reuse(stored, "stale", request)
            raise
        if response.status_code in ERRORS and (stored := replacement()):
            await response.aclose()
            return self._reuse(stored, "stale", request)
        if response.extensions["cache"] == "revalidated":
            self.revalidated += 1
        else:
            self.misses += 1
        return response

    async def _refresh(self, request: Request, place: Place) -> Response:
        """Return the upstream's answer, having stored it, or having updated the stored one."""
        stored = place.stored
        sent = validating(request, stored) if stored and request.method == "GET" else request
        sent_at = self._clock()
        response = await self._next.handle_async_request(sent)
        answer = Received(response.status_code, response.headers, b"", sent_at, self._clock())
        if stored and sent is not request and answer.status == 304:
            await response.aclose()
            if not is_about(answer.headers, stored):
                place.stored = None
                return await self._refresh(request, place)
            return await self._freshen(request, place, stored, answer)
        if request.method == "HEAD":
            if stored and answer.status == 200:
                await self._learn_from_head(request, place, stored, answer)
        elif isinstance(response.stream, ByteStream):
            await self._shelf.keep(request, place, answer._replace(body=b"".join(response.stream)))
        response.extensions["cache"] = "miss"
        return response

    async def _freshen(
        self, request: Request, place: Place, stored: StoredResponse, answer: Received
    ) -> Response:
        """Return the stored answer that a 304 answer is about, updated by it (section 4.3.4)."""
        headers = updated(stored, answer.headers)
        await self._shelf.keep(
            request, place, answer._replace(status=stored.status, headers=headers, body=stored.body)
        )
        return Response(
            stored.status,
            headers=headers,
            stream=ByteStream(stored.body),
            extensions={"cache": "revalidated"},
        )

    async def _learn_from_head(
        self, request: Request, place: Place, stored: StoredResponse, answer: Received
    ) -> None:
        """Update the stored answer, or delete it if it is out of date (section 4.3.5)."""
        if is_same(stored, answer.headers):
            headers = updated(stored, answer.headers)
            await self._shelf.keep(
                request, place, answer._replace(headers=headers, body=stored.body)
            )
        else:
            await self._shelf.remove(place)

    def _revalidate_later(self, request: Request, key: str) -> None:
        get = Request(
            "GET", request.url, headers=request.headers.raw, extensions=request.extensions
        )
        self._revalidations.start(key, partial(self._revalidate, get, key))

    async def _revalidate(self, request: Request, key: str) -> None:
        """Revalidate a stored answer, unless another process does."""
        if not await self._shelf.lock(key, REVALIDATION_SECONDS):
            return
        succeeded = False
        try:
            place = await self._shelf.find(request)
            if place.stored and use_of(place.stored, NO_WISHES, self._clock()) is Use.FRESH:
                succeeded = True  # Another process was faster.
                return
            response = await self._refresh(request, place)
            await response.aclose()
            succeeded = response.status_code not in PASSING_STATUSES
        finally:
            if succeeded:
                await self._shelf.unlock(key)
            else:
                await self._shelf.keep_locked(key, _RETRY_SECONDS)

    async def _pass_on(self, request: Request) -> Response:
        """Return the upstream's answer to another method; invalidate what it may have changed."""
        response = await self._next.handle_async_request(request)
        if request.method not in _SAFE_METHODS and 200 <= response.status_code < 400:
            await self._shelf.invalidate(_changed_urls(request, response))
        return response


def _changed_urls(request: Request, response: Response) -> list[URL]:
    """Return the URLs whose stored answers are invalid now (section 4.4), of one origin."""
    urls = [request.url]
    for name in ("Location", "Content-Location"):
        try:
            url = request.url.join(response.headers[name])
        except (KeyError, InvalidURL):
            continue
        if (url.scheme, url.netloc) == (request.url.scheme, request.url.netloc):
            urls.append(url)
    return urls

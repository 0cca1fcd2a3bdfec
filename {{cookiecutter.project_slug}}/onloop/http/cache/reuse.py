"""When a stored answer may be used: RFC 9111, sections 4 and 5.2.1, and RFC 5861.

These are functions of their arguments alone. Times are Unix times, durations are in seconds.
"""

from enum import Enum, auto
from math import inf
from typing import NamedTuple

from onloop.http._httpx import Request
from onloop.http.cache.answers import StoredResponse
from onloop.http.cache.directives import directives, seconds

_CONDITIONS = {"if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"}
_BYPASSING = _CONDITIONS | {"content-length", "range", "transfer-encoding"}


class Wishes(NamedTuple):
    """What a request says about the age of its answer (RFC 9111, section 5.2.1)."""

    no_cache: bool = False
    only_if_cached: bool = False
    max_age: float = inf
    max_stale: float | None = None
    min_fresh: float | None = None
    stale_if_error: float | None = None


NO_WISHES = Wishes()


class Use(Enum):
    """What a stored answer is good for, before the upstream is called."""

    FRESH = auto()
    STALE = auto()  # The caller accepts a stale answer.
    WHILE_REVALIDATING = auto()  # It is stale, and should be revalidated in the background.
    TO_VALIDATE = auto()


def bypasses(request: Request) -> bool:
    """Return whether a GET or HEAD request has to go past the cache.

    Its answer is streamed, or it asks for a part, has a body, or has conditions: a caller that
    validates its own copy gets the upstream's own answer. Or nothing may be stored (`no-store`).
    """
    headers = request.headers
    return bool(
        request.extensions.get("stream")
        or not _BYPASSING.isdisjoint(headers.keys())
        or ("Cache-Control" in headers and "no-store" in directives(headers))
    )


def wishes(request: Request) -> Wishes:
    """Return what a request says about the age of its answer."""
    if "Cache-Control" not in request.headers:
        return NO_WISHES
    given = directives(request.headers)
    max_stale = None
    if "max-stale" in given:
        max_stale = inf if given["max-stale"] is None else seconds(given, "max-stale")
    return Wishes(
        no_cache="no-cache" in given,
        only_if_cached="only-if-cached" in given,
        max_age=seconds(given, "max-age") if "max-age" in given else inf,
        max_stale=max_stale,
        min_fresh=seconds(given, "min-fresh") if "min-fresh" in given else None,
        stale_if_error=seconds(given, "stale-if-error") if "stale-if-error" in given else None,
    )


def use_of(stored: StoredResponse, wished: Wishes, now: float) -> Use:
    """Return what a stored answer is good for (RFC 9111, section 4; RFC 5861, section 3)."""
    age = stored.age(now)
    if wished.no_cache or age > wished.max_age:
        return Use.TO_VALIDATE
    if age < stored.lifetime and age + (wished.min_fresh or 0) <= stored.lifetime:
        return Use.FRESH
    if stored.never_stale or wished.min_fresh:
        return Use.TO_VALIDATE
    staleness = age - stored.lifetime
    if wished.max_stale is not None and staleness <= wished.max_stale:
        return Use.STALE
    if wished.max_age == inf and 0 < stored.stale_while_revalidate >= staleness:
        return Use.WHILE_REVALIDATING
    return Use.TO_VALIDATE


def helps_on_error(stored: StoredResponse, wished: Wishes, now: float) -> bool:
    """Return whether a stored answer may replace a failure (RFC 5861, section 4)."""
    allowed = stored.stale_if_error if wished.stale_if_error is None else wished.stale_if_error
    may_be_stale = not (stored.never_stale or wished.no_cache)
    return may_be_stale and 0 < allowed >= stored.age(now) - stored.lifetime


def validating(request: Request, stored: StoredResponse) -> Request:
    """Return the request with the validators of a stored answer (RFC 9111, section 4.3.1).

    It is the same object if the stored answer has none.
    """
    conditions = [
        (condition, value)
        for name, value in stored.raw_headers
        if (condition := _CONDITION_OF.get(name.lower()))
    ]
    if not conditions:
        return request
    headers = [*request.headers.raw, *conditions]
    return Request(request.method, request.url, headers=headers, extensions=request.extensions)


_CONDITION_OF = {b"etag": b"If-None-Match", b"last-modified": b"If-Modified-Since"}

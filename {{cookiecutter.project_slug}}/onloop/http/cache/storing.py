"""What may be stored, and for how long it is fresh: RFC 9111, sections 3, 4.2, 4.3.4 and 5.2.2.

These are functions of their arguments alone. Times are Unix times, durations are in seconds.
"""

from typing import NamedTuple

from django.utils.http import parse_http_date_safe

from onloop.http._httpx import Headers
from onloop.http.cache.answers import RawHeaders, StoredResponse
from onloop.http.cache.declaration import Cache
from onloop.http.cache.directives import (
    Directives,
    delta_seconds,
    directives,
    field_names,
    seconds,
)

_HEURISTICALLY_CACHEABLE = {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}  # RFC 9110, 15.1
_NEVER_STORED = {206, 304}  # Parts of a representation, and of its headers.
ERRORS = {500, 502, 503, 504}  # RFC 5861, section 4
_UNDERSTOOD = _HEURISTICALLY_CACHEABLE | {302, 303, 307}  # For `must-understand`.

MOST_SELECTING = 16  # Request headers that an answer may depend on.
_VALIDATION_SECONDS = 3_600.0  # How long a stale answer that can be validated is kept.
_MOST_SECONDS = 7 * 86_400.0  # No answer is kept for longer.

# RFC 9111, section 3.1, and RFC 9110, section 7.6.1
_OF_THE_CONNECTION = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
# RFC 9111, section 3.2: what describes the stored body and its coding.
_OF_THE_BODY = {"content-encoding", "content-length", "content-range"}


class Received(NamedTuple):
    """An answer, and when it was requested and received."""

    status: int
    headers: Headers
    body: bytes
    sent_at: float
    received_at: float


def to_store(
    answer: Received, cache: Cache, *, has_credentials: bool, version: bytes
) -> StoredResponse | None:
    """Return what is stored of an answer to GET; `None` if nothing may be or is worth it."""
    given = directives(answer.headers)
    if not is_storable(answer, given, cache, has_credentials=has_credentials):
        return None
    never_stale = _never_stale(given, cache) or answer.status in ERRORS
    stored = StoredResponse(
        version=version,
        status=answer.status,
        raw_headers=storable_headers(answer.headers, given, cache),
        body=answer.body,
        born=answer.received_at - initial_age(answer),
        lifetime=lifetime(answer, given, cache),
        stale_while_revalidate=0.0
        if never_stale
        else _declared(given, "stale-while-revalidate", cache.stale_while_revalidate),
        stale_if_error=0.0
        if never_stale
        else _declared(given, "stale-if-error", cache.stale_if_error),
        never_stale=never_stale,
        for_everybody=_is_for_everybody(given),
    )
    return stored if seconds_to_keep(stored, answer.received_at) > 0 else None


def is_storable(
    answer: Received, given: Directives, cache: Cache, *, has_credentials: bool
) -> bool:
    """Return whether an answer to GET may be stored (RFC 9111, sections 3 and 3.5).

    Other than there, an answer that sets a cookie is not stored, since that cookie is for one
    client; and any credentials count as much as `Authorization`.
    """
    if answer.status < 200 or answer.status in _NEVER_STORED:
        return False
    if "must-understand" in given:
        if answer.status not in _UNDERSTOOD:
            return False
    elif "no-store" in given:
        return False
    if "set-cookie" in answer.headers and "set-cookie" not in _withheld(given, cache):
        return False
    if "*" in vary(answer.headers):
        return False
    if cache.shared:
        if "private" in given and not field_names(given, "private"):
            return False
        if has_credentials and not _is_for_everybody(given):
            return False
    allowing = {"public", "max-age", "s-maxage" if cache.shared else "private"}
    return (
        answer.status in _HEURISTICALLY_CACHEABLE
        or not allowing.isdisjoint(given)
        or "expires" in answer.headers
    )


def storable_headers(headers: Headers, given: Directives, cache: Cache) -> RawHeaders:
    """Return the headers that are stored (RFC 9111, section 3.1); `Age` is computed later."""
    without = (
        _OF_THE_CONNECTION | _withheld(given, cache) | _members(headers, "Connection") | {"age"}
    )
    return [(name, value) for name, value in headers.raw if _lower(name) not in without]


def lifetime(answer: Received, given: Directives, cache: Cache) -> float:
    """Return for how long an answer is fresh (RFC 9111, section 4.2.1).

    What upstreams declare as `Cache.fresh` is the heuristic of section 4.2.2.
    """
    if "no-cache" in given and not field_names(given, "no-cache"):
        return 0.0
    if cache.shared and "s-maxage" in given:
        return seconds(given, "s-maxage")
    if "max-age" in given:
        return seconds(given, "max-age")
    if "expires" in answer.headers:
        expires = _date(answer.headers["expires"])
        return max(0.0, expires - _generated_at(answer)) if expires is not None else 0.0
    if answer.status in _HEURISTICALLY_CACHEABLE or "public" in given:
        return cache.fresh
    return 0.0


def initial_age(answer: Received) -> float:
    """Return the age of an answer when it was received (RFC 9111, section 4.2.3)."""
    # `Date` has no fractions of a second.
    apparent_age = max(0.0, int(answer.received_at) - _generated_at(answer))
    age_value = delta_seconds(answer.headers.get("age", "").split(",")[0].strip()) or 0
    return max(apparent_age, age_value + answer.received_at - answer.sent_at)


def seconds_to_keep(stored: StoredResponse, now: float) -> float:
    """Return for how long a stored answer can be of use; 0 or less if it cannot."""
    fresh = stored.lifetime - stored.age(now)
    useful = fresh + max(stored.stale_while_revalidate, stored.stale_if_error)
    if not {"etag", "last-modified"}.isdisjoint(stored.headers.keys()):
        useful = max(useful, max(0.0, fresh) + _VALIDATION_SECONDS)
    return min(useful, _MOST_SECONDS)


def is_about(not_modified: Headers, stored: StoredResponse) -> bool:
    """Return whether a 304 answer is about this stored answer (RFC 9111, section 4.3.4).

    Entity tags are compared weakly (RFC 9110, section 8.8.3.2): proxies that compress make them
    weak. An answer without one is about the only stored answer that it can be about.
    """
    tag = not_modified.get("etag")
    return tag is None or tag.removeprefix("W/") == stored.headers.get("etag", "").removeprefix(
        "W/"
    )


def is_same(stored: StoredResponse, head: Headers) -> bool:
    """Return whether a 200 answer to HEAD is about the stored one (RFC 9111, section 4.3.5)."""
    headers = stored.headers
    compared = ("ETag", "Last-Modified", "Content-Length")
    same = all(head[name] == headers.get(name) for name in compared if name in head)
    return same and stored.status == 200


def updated(stored: StoredResponse, headers: Headers) -> Headers:
    """Return the headers of a stored answer, updated by later ones (RFC 9111, section 3.2)."""
    without = _OF_THE_BODY | _OF_THE_CONNECTION
    later = [(n, v) for n, v in headers.raw if _lower(n) not in without]
    replaced = {_lower(name) for name, _ in later} | {"date"}
    return Headers([(n, v) for n, v in stored.raw_headers if _lower(n) not in replaced] + later)


def vary(headers: Headers) -> frozenset[str]:
    """Return the request headers that an answer depends on, in lower case (RFC 9110, 12.5.5).

    Too many are as good as `*`: no other request will have the same.
    """
    names = _members(headers, "Vary")
    return names if len(names) <= MOST_SELECTING else frozenset("*")


def _is_for_everybody(given: Directives) -> bool:
    """Return whether an answer may be used for any credentials (RFC 9111, section 3.5)."""
    return not {"public", "must-revalidate", "s-maxage"}.isdisjoint(given)


def _never_stale(given: Directives, cache: Cache) -> bool:
    """Return whether the upstream forbids to use it when it is stale (section 4.2.4)."""
    if "no-cache" in given and not field_names(given, "no-cache"):
        return True
    forbidding = {"must-revalidate"}
    if cache.shared:
        forbidding = {"must-revalidate", "proxy-revalidate", "s-maxage"}
    return not forbidding.isdisjoint(given)


def _declared(given: Directives, name: str, default: float) -> float:
    return seconds(given, name) if name in given else default


def _withheld(given: Directives, cache: Cache) -> frozenset[str]:
    """Return the headers that must not be stored (sections 5.2.2.4 and 5.2.2.7)."""
    names = field_names(given, "no-cache")
    return names | field_names(given, "private") if cache.shared else names


def _generated_at(answer: Received) -> float:
    date = _date(answer.headers.get("date", ""))
    return answer.received_at if date is None else date


def _date(text: str) -> float | None:
    return parse_http_date_safe(text.strip().upper())


def _members(headers: Headers, name: str) -> frozenset[str]:
    members = headers.get(name, "").split(",")
    return frozenset(member.strip().lower() for member in members) - {""}


def _lower(name: bytes) -> str:
    return name.decode("latin-1").lower()

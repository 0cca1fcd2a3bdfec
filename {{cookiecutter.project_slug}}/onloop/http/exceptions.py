"""The errors of calls that httpx has no class for, and what an error says about the upstream.

Each class is a subclass of the error of httpx that fits best, so that code written for httpx
handles it.
"""

import re
from collections.abc import Iterator

from onloop.http._httpx import (
    ConnectError,
    HTTPError,
    HTTPStatusError,
    PoolTimeout,
    ProxyError,
    ReadError,
    RemoteProtocolError,
    Response,
    TimeoutException,
    TransportError,
    UnsupportedProtocol,
)

BAD_RESPONSE = "bad_response"
PASSING_STATUSES = {429, 500, 502, 503, 504}

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
_QUERY = re.compile(r"\?[^\s'\"<>\])}]+")


class DNSError(ConnectError):
    """The name of the server or of the proxy could not be resolved. Nothing was sent."""


class CircuitOpenError(ConnectError):
    """The upstream has failed too often recently. Nothing was sent."""


class BulkheadFull(PoolTimeout):
    """None of the upstream's connections was free in time. Nothing was sent."""


class RateLimitExceeded(PoolTimeout):
    """The call would have waited too long for its turn under the upstream's rate limit."""


class DeadlineExceeded(TimeoutException):
    """The deadline passed before the call had its answer."""


class BodyTooLarge(TransportError):  # noqa: N818
    """The body of the answer is larger than allowed; the rest was not read."""


class QuotaExceeded(BodyTooLarge):
    """The bodies of several calls together are larger than allowed."""


class ForeignURLError(UnsupportedProtocol):
    """The URL, or that of a redirect, does not belong to the upstream. Nothing was sent."""


TYPES: tuple[tuple[type[HTTPError], str], ...] = (  # The first that fits.
    (DNSError, "dns_error"),
    (CircuitOpenError, "circuit_open"),
    (RateLimitExceeded, "rate_limited"),
    (DeadlineExceeded, "deadline_exceeded"),
    (QuotaExceeded, "quota_exceeded"),
    (PoolTimeout, "pool_timeout"),
    (ConnectError, "connect_error"),
    (ProxyError, "connect_error"),
    (TimeoutException, "timeout"),
)


def error_type(error: HTTPError) -> str:
    """Return the short name of an error's kind, as in responses, logs and metrics."""
    return next((name for kind, name in TYPES if isinstance(error, kind)), BAD_RESPONSE)


def status_error(response: Response) -> HTTPStatusError:
    """Return the error for an answer without a successful status. It does not name the URL."""
    note = " (a redirect, which is not followed)" if response.is_redirect else ""
    message = f"The server answered with status {response.status_code}{note}."
    return HTTPStatusError(message, request=response.request, response=response)


def is_passing(outcome: HTTPError | Response) -> bool:
    """Return whether a failure is transient, so that a retry may succeed.

    A timeout is not: repeating the call would only add load to a server that is already too slow.
    `onloop.http.hedge` helps with single slow calls.
    """
    if isinstance(outcome, HTTPStatusError):
        outcome = outcome.response
    if isinstance(outcome, Response):
        return outcome.status_code in PASSING_STATUSES
    if isinstance(outcome, CircuitOpenError):
        return False
    return isinstance(outcome, ConnectError | ProxyError | ReadError | RemoteProtocolError)


def blames_upstream(outcome: BaseException | Response) -> bool | None:
    """Return whether the upstream as a whole is failing, rather than this one call.

    `None` if the outcome reveals nothing about the upstream.
    """
    if isinstance(outcome, HTTPStatusError):
        outcome = outcome.response
    if isinstance(outcome, Response):
        return outcome.status_code >= 500
    if isinstance(outcome, PoolTimeout | CircuitOpenError | DeadlineExceeded):
        return None
    if isinstance(outcome, TimeoutException):
        return True
    return is_passing(outcome) if isinstance(outcome, HTTPError) else None


def describe(error: BaseException) -> str:
    """Return the error and all its causes on one line, without URLs' credentials and queries."""
    first, *causes = _chain(error)
    behind = [f"{type(cause).__name__}: {cause}" for cause in causes]
    text = ", caused by ".join([str(first).rstrip("."), *behind])
    return _QUERY.sub("?***", _CREDENTIALS.sub("***@", " ".join(text.split())))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        # Include suppressed contexts: libraries hide the socket's error with `from None`.
        cause = cause.__cause__ or cause.__context__

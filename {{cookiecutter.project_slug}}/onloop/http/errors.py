"""The errors of calls to other servers, the same for every transport.

Each error class carries its own policy: whether a retry may help, and whether the server is to
blame.
"""

import re
from collections.abc import Iterator
from typing import ClassVar

PASSING_STATUSES = {429, 500, 502, 503, 504}

CREDENTIALS = re.compile(r"(?<=://)[^/\s@]*@")
QUERY = re.compile(r"\?[^\s'\"<>\])}]+")


class HTTPClientError(Exception):
    """A call without a usable response. Its text is a sentence for people, without the URL.

    `passing` is whether the failure is transient, so that a retry may succeed. `blames_server` is
    whether the server as a whole is failing, rather than this one call; `None` if the call reveals
    nothing about the server.
    """

    type: ClassVar[str]
    passing: bool = False
    blames_server: bool | None = False


class DNSError(HTTPClientError):
    """The name of the server or of the proxy could not be resolved. Nothing was sent."""

    type = "dns_error"
    passing = True
    blames_server = True

    def __init__(self, message: str = "The name of the server could not be resolved.") -> None:
        super().__init__(message)


class ConnectError(HTTPClientError):
    """No connection: refused, unreachable, or TLS or the proxy failed. Nothing was sent."""

    type = "connect_error"
    passing = True
    blames_server = True

    def __init__(self, message: str = "No connection to the server could be made.") -> None:
        super().__init__(message)


class PoolTimeoutError(HTTPClientError):
    """None of the client's own connections was free in time. Nothing was sent."""

    type = "pool_timeout"
    blames_server = None


class CallTimeoutError(HTTPClientError):
    """The body did not arrive completely in time, for whatever reason.

    Not `passing`: repeating the call would only add load to a server that is already too slow.
    `onloop.http.hedge` helps with single slow calls.
    """

    type = "timeout"
    blames_server = True


class BadResponseError(HTTPClientError):
    """A connection without a complete, successful and acceptable response.

    `status` is the response's status code if that is the problem, and `retry_after` the text of its
    `Retry-After` header (RFC 9110, section 10.2.3).
    """

    type = "bad_response"

    def __init__(
        self, message: str, status: int | None = None, retry_after: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        if status is not None:
            self.passing = status in PASSING_STATUSES
            self.blames_server = status >= 500


class BrokenAnswerError(BadResponseError):
    """A connection that ended in the middle of the response, or carried invalid HTTP."""

    passing = True
    blames_server = True

    def __init__(
        self, message: str = "The server's answer was cut off or is not valid HTTP."
    ) -> None:
        super().__init__(message)


class QuotaExceededError(HTTPClientError):
    """The bodies of several calls together were too large."""

    type = "quota_exceeded"


class CircuitOpenError(HTTPClientError):
    """The server has failed too often recently. Nothing was sent."""

    type = "circuit_open"

    def __init__(self) -> None:
        super().__init__("The server has failed too often and is being skipped for a moment.")


class DeadlineExceededError(HTTPClientError):
    """The common deadline of several calls passed before this one had its response."""

    type = "deadline_exceeded"


def describe(error: BaseException) -> str:
    """Return the error and all its causes on one line, without URLs' credentials and queries."""
    first, *causes = _chain(error)
    behind = [f"{type(cause).__name__}: {cause}" for cause in causes]
    text = ", caused by ".join([str(first).rstrip("."), *behind])
    return QUERY.sub("?***", CREDENTIALS.sub("***@", " ".join(text.split())))


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        # Include suppressed contexts: httpcore hides the socket's error with `from None`.
        cause = cause.__cause__ or cause.__context__

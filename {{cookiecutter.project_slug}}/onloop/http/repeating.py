"""Which requests may be sent more than once."""

from onloop.http._httpx import ByteStream, Request

_IDEMPOTENT = {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"}


def may_repeat(request: Request) -> bool:
    """Return whether sending the request again does no harm (RFC 9110, section 9.2.2).

    Its method is idempotent, or it has an `Idempotency-Key`, by which the upstream recognizes a
    copy. A body that is read while it is sent is gone after the first time.
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    harmless = request.method in _IDEMPOTENT or "Idempotency-Key" in request.headers
    return harmless and isinstance(request.stream, ByteStream)

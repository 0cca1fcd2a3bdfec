"""The header `Retry-After`: how long a server does not want to be called (RFC 9110, 10.2.3)."""

from time import time

from django.utils.http import parse_http_date_safe


def requested_pause(retry_after: str | None) -> float:
    """Return the seconds that a `Retry-After` requests; 0 if it is missing, invalid or over.

    It may be a number of seconds or an HTTP date. The result is unbounded, and may be infinite.
    """
    text = retry_after or ""
    if text.isascii() and text.isdigit():
        return float(text)
    moment = parse_http_date_safe(text)
    return 0.0 if moment is None else max(0.0, moment - time())

"""Under which keys answers are stored: keyed hashes, which reveal neither URLs nor credentials."""

from collections.abc import Iterable
from hashlib import blake2b
from operator import itemgetter

from django.utils.crypto import salted_hmac

from onloop.http._httpx import URL, Headers, Request
from onloop.http.single_flight import IGNORED_HEADERS

# Headers that do not say who is calling. All others are taken for credentials: an unknown one,
# such as X-User-Id or X-Api-Key, costs hits where it is none, and would cost secrets otherwise.
_ANONYMOUS = IGNORED_HEADERS | {
    b"accept",
    b"accept-charset",
    b"accept-encoding",
    b"accept-language",
    b"baggage",
    b"cache-control",
    b"connection",
    b"content-type",
    b"keep-alive",
    b"pragma",
    b"priority",
    b"te",
}


class Keys:
    """The keys of one upstream. They change with Django's `SECRET_KEY`."""

    def __init__(self, name: str) -> None:
        self._secret = salted_hmac("onloop.http.cache", name, algorithm="sha256").digest()
        self._prefix = f"upstream:{name}:"

    def of_url(self, url: URL) -> str:
        """Return the key of what is known of a URL, without its fragment and credentials."""
        return self._prefix + self._hash((url.raw_scheme, url.netloc, url.raw_path))

    def of_answer(self, url_key: str, caller: bytes, vary: Iterable[str], headers: Headers) -> str:
        """Return the key of the answer for a caller and the request headers that select it."""
        selecting = [(name, normalized(name, headers.get(name))) for name in vary]
        return self._prefix + self._hash((url_key, caller, selecting))

    def of_caller(self, request: Request) -> bytes:
        """Return a hash of the credentials of a request; `b""` if it has none."""
        credentials = [
            (lower, value)
            for name, value in request.headers.raw
            if (lower := name.lower()) not in _ANONYMOUS
            and not (lower == b"host" and value == request.url.netloc)
        ]
        # The order counts only among lines of the same name (RFC 9110, section 5.3).
        credentials.sort(key=itemgetter(0))
        return self._digest(credentials) if credentials else b""

    def _hash(self, parts: object) -> str:
        return self._digest(parts).hex()

    def _digest(self, parts: object) -> bytes:
        # repr() of bytes, strings, tuples and lists is different for different values.
        return blake2b(repr(parts).encode(), key=self._secret, digest_size=16).digest()


def normalized(name: str, value: str | None) -> str | None:
    """Return the value of a header without whitespace that means nothing (RFC 9111, 4.1).

    That is known of the headers of content negotiation, outside of quotes.
    """
    if value is None or not name.startswith("accept") or '"' in value:
        return value
    return ",".join(member.strip() for member in value.split(","))

"""Answers as they are stored: everything that a hit needs, decided when they arrived."""

from typing import Literal

import msgspec

from onloop.http._httpx import ByteStream, Headers, Response

type Outcome = Literal["hit", "stale", "miss", "revalidated"]
"""How a call was answered: `response.extensions["cache"]`."""

type RawHeaders = list[tuple[bytes, bytes]]


class StoredResponse(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An answer to GET. Times are Unix times, durations are in seconds."""

    version: bytes  # Of the URL's index, when this was stored.
    status: int
    raw_headers: RawHeaders  # Without `Age`.
    body: bytes
    born: float  # When its age was 0.
    lifetime: float  # How long it is fresh.
    stale_while_revalidate: float
    stale_if_error: float
    never_stale: bool  # It must not be used when it is stale, even if the caller allows it.
    for_everybody: bool  # The upstream allows it for requests with any credentials.

    @property
    def headers(self) -> Headers:
        """The headers, without `Age`."""
        return Headers(self.raw_headers)

    def age(self, now: float) -> float:
        """Return the current age (RFC 9111, section 4.2.3)."""
        return max(0.0, now - self.born)

    def response(self, outcome: Outcome, method: str, now: float) -> Response:
        """Return it as the answer to a call that was not validated, with its age."""
        return Response(
            self.status,
            headers=[*self.raw_headers, (b"Age", b"%d" % self.age(now))],
            stream=ByteStream(b"" if method == "HEAD" else self.body),
            extensions={"cache": outcome},
        )


class Index(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of all stored answers of one URL."""

    version: bytes  # Answers of another version are invalid (RFC 9111, section 4.4).
    vary: tuple[str, ...]  # The request headers that select an answer, in lower case, sorted.


_encode = msgspec.msgpack.Encoder().encode
_decode_response = msgspec.msgpack.Decoder(StoredResponse).decode
_decode_index = msgspec.msgpack.Decoder(Index).decode


def encode(value: StoredResponse | Index) -> bytes:
    """Return what is written into the cache."""
    return _encode(value)


def decode_response(data: bytes | None) -> StoredResponse | None:
    """Return a stored answer; `None` if there is none, or none that this version can read."""
    try:
        return _decode_response(data) if data else None
    except msgspec.DecodeError:
        return None


def decode_index(data: bytes | None) -> Index | None:
    """Return a stored index; `None` if there is none, or none that this version can read."""
    try:
        return _decode_index(data) if data else None
    except msgspec.DecodeError:
        return None

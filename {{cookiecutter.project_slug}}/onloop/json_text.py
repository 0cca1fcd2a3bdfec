"""JSON texts in UTF-8, checked and combined without parsing and serializing them."""

import asyncio
import json
from collections.abc import Mapping

import msgspec

from onloop.per_loop import PerLoop

_turns = PerLoop(asyncio.Lock)
_decode = msgspec.json.Decoder(msgspec.Raw).decode


def check_json(text: bytes) -> None:
    """Check that `text` is JSON in UTF-8 (RFC 8259), without building its value.

    Raises:
        ValueError, RecursionError: it is not, or is nested too deeply.
    """
    text.decode()  # msgspec does not check that strings are UTF-8.
    # msgspec also requires surrogates in pairs, which RFC 8259 does not. So they are replaced with
    # other characters.
    _decode(text.replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0"))


async def check_json_in_turn(text: bytes) -> None:
    """Check a large text as `check_json` does, at most one in each turn of the event loop.

    A check takes some milliseconds per MiB. A hundred texts that arrive together would otherwise
    block the loop for the sum of their checks. A thread would not help: msgspec holds the GIL.

    Raises:
        ValueError, RecursionError: it is not JSON, or is nested too deeply.
    """
    async with _turns.get():
        check_json(text)
        await asyncio.sleep(0)


def json_object(*parts: bytes | Mapping[str, object]) -> bytes:
    """Return the text of one JSON object with the members of all `parts`, in their order.

    A part is a mapping, or the text of an object such as this function returns. A value in a
    mapping is inserted as JSON text if it is `bytes`, as an array of such texts if it is a list of
    `bytes`, and as `json.dumps` serializes it otherwise::

        json_object({"responses": [b'{"a":1}', b"1e400"], "errors": 0}, b'{"id": 7}')

    returns `{"responses": [{"a":1}, 1e400], "errors": 0, "id": 7}`. The texts are not checked.
    They are copied only once, since they may have many megabytes.
    """
    pieces: list[bytes | memoryview] = []
    for part in parts:
        if isinstance(part, bytes):
            if members := memoryview(part)[1:-1]:
                pieces += b", ", members
            continue
        for name, value in part.items():
            pieces += b", ", json.dumps(name).encode(), b": "
            pieces += _pieces(value)
    return b"".join([b"{", *pieces[1:], b"}"])


def _pieces(value: object) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [b"[", *[piece for text in value for piece in (b", ", text)][1:], b"]"]
    return [json.dumps(value).encode()]

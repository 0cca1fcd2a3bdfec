"""JSON texts in UTF-8, checked and put together as they are: not parsed, and not written again."""

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
        ValueError, RecursionError: it is not.
    """
    text.decode()  # msgspec does not look into strings.
    # It requires surrogates in pairs, too, which RFC 8259 does not: here they become other
    # characters.
    _decode(text.replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0"))


async def check_json_in_turn(text: bytes) -> None:
    """Check a large text like `check_json`, at most one in each turn of the event loop.

    A check takes some milliseconds for each MiB. A hundred texts that arrive together would
    otherwise hold the loop for the sum of them, and a thread does not help: msgspec keeps the GIL.

    Raises:
        ValueError, RecursionError: it is not JSON.
    """
    async with _turns.get():
        check_json(text)
        await asyncio.sleep(0)


def json_object(*parts: bytes | Mapping[str, object]) -> bytes:
    """Return the text of one JSON object with the members of all `parts`, in their order.

    A part is a mapping, or the text of an object, such as this function returns.
    Among the values of a mapping, `bytes` stand for the JSON text that they are, a list of
    `bytes` for the array of these texts, and anything else for what `json.dumps` makes of it::

        json_object({"responses": [b'{"a":1}', b"1e400"], "errors": 0}, b'{"id": 7}')

    returns `{"responses": [{"a":1}, 1e400], "errors": 0, "id": 7}`. The texts are not checked,
    and copied once: they may have many megabytes.
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

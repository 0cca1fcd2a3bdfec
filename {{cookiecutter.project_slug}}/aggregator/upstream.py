"""One call to the upstream: its URL, the call, and what is said of it in the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import msgspec
from django.conf import settings

from onloop.asgi.routing import served_port
from onloop.http import BadResponseError, HTTPClientError
from onloop.json_text import json_object

LARGE_BODY = 64 * 1024

type Outcome = bytes | HTTPClientError
"""JSON text in UTF-8, or the reason why there is none."""


def upstream_url() -> str:
    """Return ``settings.AGGREGATOR_UPSTREAM_URL`` or, where it is empty, our own sync API."""
    return settings.AGGREGATOR_UPSTREAM_URL or f"http://127.0.0.1:{served_port()}/sync/api/"


@lru_cache(maxsize=16)
def task_urls(url: str, count: int) -> tuple[str, ...]:
    """Return ``url`` with ``task_id=0`` to ``task_id=count - 1`` added to its query string."""
    parts = urlsplit(url)
    prefix = f"{parts.query}&" if parts.query else ""
    return tuple(
        urlunsplit(parts._replace(query=f"{prefix}task_id={task_id}")) for task_id in range(count)
    )


async def fetch_json(get: Callable[[str], Awaitable[bytes]], url: str) -> bytes:
    """Return the body that ``get(url)`` returns: JSON text, as the upstream wrote it.

    Raises what ``get`` raises, and ``BadResponseError`` for a body that is not JSON in UTF-8
    (RFC 8259).
    """
    body = await get(url)
    try:
        if len(body) < LARGE_BODY:
            _check_json(body)
        else:
            async with _turn():
                _check_json(body)
                await asyncio.sleep(0)
    except (ValueError, RecursionError) as error:
        raise BadResponseError("The server's answer is not JSON.") from error
    return body


def outcome_json(task_id: int, outcome: Outcome) -> bytes:
    """Return the JSON text that stands for ``outcome`` in an answer.

    A body stays as the upstream wrote it. It is known to be JSON, and writing it again would cost
    time and change it: ``1e400`` would become ``Infinity``, which is not JSON.
    """
    if isinstance(outcome, bytes):
        return outcome
    error = {"type": outcome.type, "message": str(outcome)}
    return json_object({"task_id": task_id, "error": error})


def answer_json(outcomes: Sequence[Outcome], rest: Mapping[str, object]) -> bytes:
    """Return the JSON text of an answer: the ``outcomes`` and the ``rest``."""
    responses = [outcome_json(task_id, outcome) for task_id, outcome in enumerate(outcomes)]
    return json_object({"responses": responses, **rest})


def _check_json(body: bytes) -> None:
    """Check that ``body`` is JSON in UTF-8, without building what it says.

    Raises:
        ValueError, RecursionError: it is not.
    """
    body.decode()  # msgspec does not look into strings.
    # It wants surrogates in pairs, too, which RFC 8259 does not: here they are other characters.
    _decode(body.replace(rb"\ud", rb"\u0").replace(rb"\uD", rb"\u0"))


def _turn() -> asyncio.Lock:
    """Return what lets one large body be checked in each turn of the event loop.

    A check takes some milliseconds for each MiB. A hundred bodies that come together would
    otherwise hold the loop for the sum of them, and a thread does not help: msgspec keeps the GIL.
    """
    return _turns.setdefault(asyncio.get_running_loop(), asyncio.Lock())


_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()
_decode = msgspec.json.Decoder(msgspec.Raw).decode

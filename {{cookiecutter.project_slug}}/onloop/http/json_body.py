"""Calls whose response must be JSON."""

from collections.abc import Awaitable, Callable

from onloop.http._httpx import DecodingError
from onloop.json_text import check_json, check_json_in_turn

_LARGE_BODY = 64 * 1024


async def fetch_json(get: Callable[[str], Awaitable[bytes]], url: str) -> bytes:
    """Return the body from `get(url)`, which must be JSON, exactly as the server sent it.

    Raises:
        DecodingError: the body is not JSON in UTF-8.
        HTTPError: `get` has failed.
    """
    body = await get(url)
    try:
        if len(body) < _LARGE_BODY:
            check_json(body)
        else:
            await check_json_in_turn(body)
    except (ValueError, RecursionError) as error:
        raise DecodingError("The server's answer is not JSON.") from error
    return body

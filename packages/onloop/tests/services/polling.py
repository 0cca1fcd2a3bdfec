"""Waiting for what cannot be awaited."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as `condition()` holds; fail if it does not within half a minute."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def until[T](look: Callable[[], Awaitable[T]], *, wanted: Callable[[T], object]) -> T:
    """Return what `look` sees as soon as it is `wanted`."""
    async with asyncio.timeout(120):
        while not wanted(seen := await look()):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)
    return seen

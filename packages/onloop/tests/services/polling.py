"""Waiting for what cannot be awaited."""

import asyncio
from collections.abc import Awaitable, Callable


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    """Return as soon as `condition()` holds; fail if it does not within half a minute."""
    async with asyncio.timeout(30):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)

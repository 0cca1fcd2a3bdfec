"""Tasks that do not outlive the block that they were started in."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager


@asynccontextmanager
async def running[T](work: Coroutine[object, object, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Run `work` as a task that ends with the block, cancelled if it has to be."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])

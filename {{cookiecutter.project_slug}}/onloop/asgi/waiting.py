"""Waiting that ends when the server is told to stop."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from onloop.asgi.lifespan import stopping
from onloop.running import running


class ServerStoppingError(Exception):
    """The server has been told to stop, so the wait has ended."""


class Waiter:
    """Waits for tasks, but no longer than until the server is told to stop."""

    def __init__(self, stop: asyncio.Task[object]) -> None:
        self._stop = stop

    async def first_of(
        self,
        *tasks: asyncio.Task[Any],
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> set[asyncio.Task[Any]]:
        """Return the finished tasks as soon as there is one, or none after `timeout` seconds.

        Raises:
            ServerStoppingError: the server has been told to stop.
        """
        if not self._stop.done():
            done, _ = await asyncio.wait(
                {self._stop, *tasks}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
            if self._stop not in done or len(done) > 1:
                return done - {self._stop}
        raise ServerStoppingError


@asynccontextmanager
async def waiter() -> AsyncIterator[Waiter]:
    """Yield a waiter for any number of waits, one after the other."""
    async with running(stopping().wait()) as stop:
        yield Waiter(stop)


async def until_stopping[T](source: AsyncIterator[T]) -> AsyncGenerator[T]:
    """Yield the items of `source` until it ends or the server is told to stop.

    For the body of a response that would otherwise stay open indefinitely.
    """
    async with waiter() as waiting:
        while True:
            async with running(_next(source)) as following:
                try:
                    await waiting.first_of(following)
                    item = following.result()
                except (ServerStoppingError, StopAsyncIteration):
                    return
            yield item


async def _next[T](source: AsyncIterator[T]) -> T:
    return await anext(source)

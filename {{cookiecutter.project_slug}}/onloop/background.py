"""Work that outlives its request, inside this process.

A view starts it and answers; nobody waits for it::

    run_in_background(tell_everyone, article.pk)

It is lost when the process crashes or is killed. What has to happen is a job for a queue.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import Context
from functools import partial
from typing import Any

from onloop.asgi.threads import OwnThread
from onloop.conf import settings

DRAIN_SECONDS = 8.0  # Less than the lifespan's own limit, so that what it closes next is closed.

logger = logging.getLogger(__name__)


class BackgroundRefusedError(RuntimeError):
    """The work was not started: too much is running already, or the server is stopping."""


class Background:
    """The pieces of work that run on one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix="background")
        self._stopping = False

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        if self._stopping:
            raise BackgroundRefusedError(f"{name} was not started: the server is stopping.")
        if len(self._tasks) >= self._limit:
            raise BackgroundRefusedError(
                f"{name} was not started: {self._limit} pieces of work are running already."
            )
        # A context of its own: that of the request leads to the request's thread and connections.
        task = asyncio.get_running_loop().create_task(self._run(name, work), context=Context())
        self._tasks[task] = name
        task.add_done_callback(self._tasks.pop)

    async def _run(self, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        try:
            async with OwnThread(self._threads):
                await work()
        except Exception:
            logger.exception("%s failed in the background.", name)

    async def stop(self) -> None:
        """Let what runs end, and cancel what takes too long."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
        late = dict(self._tasks)
        for task, name in late.items():
            logger.warning("%s was cut off in the background: the server is stopping.", name)
            task.cancel()
        if late:
            await asyncio.wait(late)
        await asyncio.to_thread(self._threads.shutdown)


_backgrounds: dict[asyncio.AbstractEventLoop, Background] = {}


@asynccontextmanager
async def background_work() -> AsyncIterator[None]:
    """Accept work, and let it end before the server does. A resource of the ASGI lifespan."""
    loop = asyncio.get_running_loop()
    background = _backgrounds[loop] = Background(settings.BACKGROUND_LIMIT)
    try:
        yield
    finally:
        await background.stop()
        del _backgrounds[loop]


def run_in_background[**P](
    work: Callable[P, Coroutine[Any, Any, object]], /, *args: P.args, **kwargs: P.kwargs
) -> None:
    """Run ``work(*args, **kwargs)`` on the event loop, as soon as that is free, and do not wait.

    It has a context, a thread and database connections of its own, which are closed at its end. An
    exception is logged. At shutdown it has ``DRAIN_SECONDS`` to end, and is then cancelled.

    Raises:
        BackgroundRefusedError: ``settings.BACKGROUND_LIMIT`` pieces of work are running, the server
            is stopping, or there is none (a test client, WSGI).
    """
    name = getattr(work, "__qualname__", repr(work))
    background = _backgrounds.get(asyncio.get_running_loop())
    if background is None:
        raise BackgroundRefusedError(f"{name} was not started: no server runs on this event loop.")
    background.start(name, partial(work, *args, **kwargs))

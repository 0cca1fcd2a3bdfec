"""Fire-and-forget tasks: work in this process that outlives the request that starts it.

A view starts a task and returns its response without waiting::

    run_in_background(notify_everyone, article.pk)

The task is lost if the process crashes or is killed. Work that must not be lost belongs in a job:
see `onloop.tasks`.
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

_DRAIN_SECONDS = 8.0  # Below the lifespan's limit, so that other resources can be closed as well.

logger = logging.getLogger(__name__)


class BackgroundRefusedError(RuntimeError):
    """The task was not started: too many are running already, or the server is stopping."""


class Background:
    """The background tasks of one event loop."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._threads = ThreadPoolExecutor(limit, thread_name_prefix="background")
        self._stopping = False

    def start(self, name: str, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Start a task, which log messages refer to as `name`.

        Raises:
            BackgroundRefusedError: too many tasks are running, or the server is stopping.
        """
        if self._stopping:
            raise BackgroundRefusedError(f"{name} was not started: the server is stopping.")
        if len(self._tasks) >= self._limit:
            raise BackgroundRefusedError(
                f"{name} was not started: {self._limit} background tasks are running already."
            )
        # In its own context, because the request's has the request's thread and connections.
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
        """Reject new tasks, wait `_DRAIN_SECONDS` for running ones to end, and cancel the rest."""
        self._stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_DRAIN_SECONDS)
        late = dict(self._tasks)
        for task, name in late.items():
            logger.warning("%s was cancelled in the background: the server is stopping.", name)
            task.cancel()
        if late:
            await asyncio.wait(late)
        await asyncio.to_thread(self._threads.shutdown)


_backgrounds: dict[asyncio.AbstractEventLoop, Background] = {}


@asynccontextmanager
async def background_work() -> AsyncIterator[None]:
    """Accept tasks, and let them end before the server stops. A resource of the ASGI lifespan."""
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
    """Start `work(*args, **kwargs)` on the event loop, without waiting for it.

    The task has its own context, thread and database connections, which are closed when it ends. An
    exception is logged. At shutdown the task has `_DRAIN_SECONDS` to end before it is cancelled.

    Raises:
        BackgroundRefusedError: `settings.BACKGROUND_LIMIT` tasks are running, the server is
            stopping, or there is no server (test client, WSGI).
    """
    name = getattr(work, "__qualname__", repr(work))
    background = _backgrounds.get(asyncio.get_running_loop())
    if background is None:
        raise BackgroundRefusedError(f"{name} was not started: no server runs on this event loop.")
    background.start(name, partial(work, *args, **kwargs))

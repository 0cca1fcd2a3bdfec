"""Revalidations in the background, while their callers have a stale answer (RFC 5861)."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any
from weakref import WeakSet

from onloop.http._httpx import HTTPError
from onloop.http.exceptions import describe
from onloop.per_loop import PerLoop

REVALIDATION_SECONDS = 30.0
_MOST = 100  # At a time, of one upstream on one event loop; callers bring the others later.

logger = logging.getLogger(__name__)


class Revalidations:
    """The revalidations of one upstream: one at a time of each stored answer."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: PerLoop[dict[str, asyncio.Task[None]]] = PerLoop(dict)
        _all.add(self)

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start `work()`, unless that of this key is running, or too many are."""
        tasks = self._tasks.get()
        if key in tasks or len(tasks) >= _MOST:
            return
        # In its own context: the request's has its deadline, its thread and its connections.
        task = asyncio.get_running_loop().create_task(self._run(work), context=Context())
        tasks[key] = task
        task.add_done_callback(lambda _: tasks.pop(key, None))

    async def _run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            async with asyncio.timeout(REVALIDATION_SECONDS):
                await work()
        except TimeoutError:
            logger.info(
                "An answer of %s was not revalidated within %g s.", self._name, REVALIDATION_SECONDS
            )
        except HTTPError as error:
            logger.info("An answer of %s was not revalidated: %s", self._name, describe(error))
        except Exception:
            logger.exception("An answer of %s was not revalidated.", self._name)

    async def end(self) -> None:
        """Cancel those of the running event loop, and wait until they have ended."""
        tasks = list(self._tasks.get().values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


_all: WeakSet[Revalidations] = WeakSet()


async def end_revalidations() -> None:
    """Cancel the revalidations of all upstreams on the running event loop, before it ends."""
    for revalidations in list(_all):
        await revalidations.end()

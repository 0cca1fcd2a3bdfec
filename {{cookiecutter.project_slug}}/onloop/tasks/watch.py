"""Following jobs, whichever process runs them.

One task per event loop reads the states of all watched jobs every `settings.JOBS_POLL_SECONDS`, in
one query. A follower holds neither a thread nor a database connection.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextvars import Context
from typing import Any

from django.tasks import TaskResult, default_task_backend
from django.tasks.exceptions import TaskResultDoesNotExist

from onloop.conf import settings
from onloop.database import DatabaseThread
from onloop.per_loop import PerLoop
from onloop.tasks.queue import State, states

type Result = TaskResult[..., Any]

_PATIENCE_SECONDS = 30.0

logger = logging.getLogger(__name__)
database = DatabaseThread("jobs-watch")


class JobsUnavailableError(Exception):
    """The backend has not answered for `_PATIENCE_SECONDS`."""


async def follow(job: Result) -> AsyncGenerator[Result]:
    """Yield the job, now and after each observed change, until it is finished or deleted.

    Raises:
        JobsUnavailableError: the backend is down.
    """
    watch = _watches.get()
    while True:
        yield job
        if job.is_finished:
            return
        while await watch.look(job.id) == (job.status, job.attempts):
            pass
        try:
            job = await database.run(default_task_backend.get_result, job.id)
        except TaskResultDoesNotExist:
            return


class Watch:
    """Reads the states of jobs for all followers on one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[State | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def look(self, job_id: str) -> State | None:
        """Return the job's state as soon as it is read next, or `None` if the job is deleted.

        Raises:
            JobsUnavailableError: the backend is down.
        """
        loop = asyncio.get_running_loop()
        future = self._waiting.setdefault(job_id, loop.create_future())
        if self._task is None or self._task.done():
            # In its own context, because a request's context would use the request's thread.
            self._task = loop.create_task(self._look_for_all(), context=Context())
        return await asyncio.shield(future)

    async def _look_for_all(self) -> None:
        loop = asyncio.get_running_loop()
        answered = loop.time()
        while self._waiting:
            await asyncio.sleep(settings.JOBS_POLL_SECONDS)
            job_ids = list(self._waiting)
            try:
                seen = await database.run(states, job_ids)
            except Exception:
                logger.warning("The states of jobs cannot be read", exc_info=True)
                if loop.time() - answered >= _PATIENCE_SECONDS:
                    self._give_up(job_ids)
                continue
            answered = loop.time()
            for job_id in job_ids:
                self._waiting.pop(job_id).set_result(seen.get(job_id))

    def _give_up(self, job_ids: list[str]) -> None:
        for job_id in job_ids:
            future = self._waiting.pop(job_id)
            future.set_exception(JobsUnavailableError("The states of jobs cannot be read."))
            future.exception()  # Mark it as retrieved: the followers may be gone.


_watches = PerLoop(Watch)

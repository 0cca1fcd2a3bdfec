"""Jobs as they change, in whichever process they run.

The backend is asked about once a second for all jobs that are watched, by one task for each event
loop. Who watches holds neither a thread nor a database connection.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable
from contextvars import Context
from typing import Any
from weakref import WeakKeyDictionary

from django import db
from django.conf import settings
from django.tasks import TaskResult, default_task_backend
from django.tasks.exceptions import TaskResultDoesNotExist

from jobs.threads import in_thread

type Result = TaskResult[..., Any]

logger = logging.getLogger(__name__)


async def follow(job: Result) -> AsyncGenerator[Result]:
    """Yield the job, and again after each change that is seen, until it is finished or deleted."""
    watch = _watches.setdefault(asyncio.get_running_loop(), Watch())
    while True:
        yield job
        before = (job.status, job.attempts)
        while (job.status, job.attempts) == before:
            if job.is_finished:
                return
            seen = await watch.look(job.id)
            if seen is None:
                return
            job = seen


class Watch:
    """Looks at jobs for all who wait on one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, asyncio.Future[Result | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def look(self, job_id: str) -> Result | None:
        """Return the job as it is in a moment, or None if it is not there any more."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            # Not of the request that happens to be the first: its context has its thread.
            self._task = loop.create_task(self._look_for_all(), context=Context())
        future = self._waiting.setdefault(job_id, loop.create_future())
        return await asyncio.shield(future)

    async def _look_for_all(self) -> None:
        jobs: dict[str, Result] | None = None
        while jobs is None:
            await asyncio.sleep(settings.JOBS_POLL_SECONDS)
            try:
                jobs = await in_thread(get_results, list(self._waiting))
            except db.Error:
                logger.warning("Jobs cannot be looked at", exc_info=True)
        waiting, self._waiting = self._waiting, {}
        for job_id, future in waiting.items():
            future.set_result(jobs.get(job_id))


def get_results(job_ids: Iterable[str]) -> dict[str, Result]:
    """Return the jobs that exist, by their id."""
    results = {}
    for job_id in job_ids:
        try:
            results[job_id] = default_task_backend.get_result(job_id)
        except TaskResultDoesNotExist:
            continue
    return results


_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, Watch] = WeakKeyDictionary()

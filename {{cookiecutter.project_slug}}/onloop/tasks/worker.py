"""The worker that runs the jobs in the database."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from random import uniform
from typing import Any

from django.db import Error as DatabaseError
from django.db import transaction
from django.tasks import TaskContext, default_task_backend
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.utils.crypto import get_random_string

from onloop.asgi.lifespan import stopping
from onloop.asgi.threads import OwnThread
from onloop.conf import settings
from onloop.database import DatabaseThread
from onloop.tasks.attempts import (
    Job,
    Outcome,
    claim,
    end_attempt,
    failure,
    requeue_all,
    requeued,
    success,
)
from onloop.tasks.leases import close_lease, end_lost_attempts, open_lease, renew_lease

_REFUSALS = 3

logger = logging.getLogger(__name__)

# A thread of its own, so that neither requests nor followers of jobs delay the renewal of a lease.
database = DatabaseThread("jobs-worker")


@asynccontextmanager
async def embedded_worker() -> AsyncIterator[None]:
    """Run jobs in the server process, next to its requests. A resource of the ASGI lifespan."""
    worker = asyncio.create_task(Worker().run(), context=Context())
    try:
        yield
    finally:
        await worker


class Worker:
    """Runs up to `settings.JOBS_CONCURRENCY` jobs at a time on the running event loop.

    Async jobs share the loop; sync jobs have a thread each. Every job has its own context and, for
    its synchronous code, its own thread, whose database connections are closed when the job ends.
    """

    def __init__(self) -> None:
        self._id = ""
        self._running: dict[asyncio.Task[None], Job] = {}
        self._threads = ThreadPoolExecutor(settings.JOBS_CONCURRENCY, thread_name_prefix="job")
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._renew_at = self._loop.time()
        self._healthy = True
        self._claim_in_doubt = False

    async def run(self) -> None:
        """Run jobs until the process is told to stop.

        Running jobs then have `settings.JOBS_GRACE_SECONDS` to end before they are requeued.
        """
        stop = self._loop.create_task(stopping().wait())
        stop.add_done_callback(lambda _: self._wake.set())
        task_enqueued.connect(self._enqueued)
        try:
            while not stop.done():
                await self._work(claiming=True)
            end = self._loop.time() + settings.JOBS_GRACE_SECONDS
            while self._running and self._loop.time() < end:
                await self._work(claiming=False)
            await self._requeue_all()
            if self._id:
                await database.run(close_lease, self._id)
        finally:
            task_enqueued.disconnect(self._enqueued)
            stop.cancel()
            self._threads.shutdown(wait=False)

    async def _work(self, *, claiming: bool) -> None:
        """Look once for jobs to run and lost attempts to end, then wait until there may be more."""
        self._wake.clear()
        try:
            await self._look(claiming=claiming)
            self._healthy = True
        except Exception:
            if self._healthy:
                logger.exception("The worker cannot reach its jobs; it keeps trying")
            self._healthy = False
        pause = settings.JOBS_POLL_SECONDS * uniform(0.75, 1.25)  # noqa: S311
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._wake.wait()

    async def _look(self, *, claiming: bool) -> None:
        if self._loop.time() >= self._renew_at:
            if not await database.run(renew_lease, self._id):
                await self._requeue_all()
                self._id = f"{socket.gethostname()[:150]}-{os.getpid()}-{get_random_string(8)}"
                await database.run(open_lease, self._id)
            for job in await database.run(end_lost_attempts):
                await self._finished(job)
            self._renew_at = self._loop.time() + settings.JOBS_LEASE_SECONDS / 3
        free = settings.JOBS_CONCURRENCY - len(self._running)
        if claiming and free:
            for job in await self._claim(free):
                task = self._loop.create_task(self._run(job), context=Context())
                self._running[task] = job
                task.add_done_callback(self._ended)

    async def _claim(self, count: int) -> list[Job]:
        """Claim jobs, and requeue those of an earlier claim whose reply was lost."""
        if self._claim_in_doubt:
            known = {job.pk for job in self._running.values()}
            await database.run(requeue_all, self._id, but=known)
        self._claim_in_doubt = True
        jobs = await database.run(claim, self._id, count)
        self._claim_in_doubt = False
        return jobs

    async def _run(self, job: Job) -> None:
        async with OwnThread(self._threads):
            await self._attempt(job)

    async def _attempt(self, job: Job) -> None:
        try:
            # In its own task: a job that cancels itself must not cancel the code below.
            value, error = await self._loop.create_task(_perform(job))
            if error is not None:
                raise error
            # In another thread, because checking a large result takes long.
            await self._end(job, await asyncio.to_thread(success, value))
        except BaseException as error:  # SystemExit in a job must not stop the worker.
            stopped = isinstance(error, asyncio.CancelledError) and _cancelled()
            await self._end(job, requeued(job) if stopped else failure(job, error))
            if not stopped and not job.finished_at:
                logger.warning("Job %s failed; another attempt follows", job.pk, exc_info=True)
        if job.finished_at:
            await self._finished(job)

    async def _end(self, job: Job, outcome: Outcome) -> None:
        """Write an outcome as soon as the database accepts it.

        Raises:
            Exception: the database has rejected a result three times while it renewed the lease,
                the lease is lost, or the server is stopping.
        """
        logged, refusals = False, 0
        while True:
            try:
                if not await database.run(end_attempt, job, outcome):
                    logger.warning("Job %s was ended elsewhere before this attempt", job.pk)
                return
            except Exception:
                if stopping().is_set():
                    raise
                if not logged:
                    logger.warning("Job %s: its outcome is not written yet", job.pk, exc_info=True)
                logged = True
                renewed = None
                with suppress(DatabaseError):  # The database is down, or accepts no writes.
                    renewed = await database.run(renew_lease, self._id)
                refusals += bool(renewed)
                if renewed is False or (refusals == _REFUSALS and "return_value" in outcome):
                    raise
            await asyncio.sleep(settings.JOBS_POLL_SECONDS)

    async def _finished(self, job: Job) -> None:
        try:
            result = job.task_result
        except ImportError:  # The task's function no longer exists.
            logger.exception("Job %s failed", job.pk)
            return
        await task_finished.asend(type(default_task_backend), task_result=result)

    async def _requeue_all(self) -> None:
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._wake.set()
        if not task.cancelled() and (error := task.exception()):
            logger.error("The end of a job was not handled", exc_info=error)

    def _enqueued(self, **named: Any) -> None:
        """Wake up for a job that this process has enqueued, once its transaction is committed."""
        transaction.on_commit(lambda: self._loop.call_soon_threadsafe(self._wake.set))


async def _perform(job: Job) -> tuple[object, BaseException | None]:
    """Return the job's return value, or the error that it raised."""
    try:
        result = job.task_result
        await task_started.asend(type(default_task_backend), task_result=result)
        task, args = result.task, result.args
        if task.takes_context:
            args = [TaskContext(task_result=result), *args]
        return await task.acall(*args, **result.kwargs), None
    except BaseException as error:  # asyncio would stop the loop on SystemExit.
        return None, error


def _cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0

"""What the database knows of the attempts at a job: who makes them, and how they end.

A job that runs belongs to the last of its `worker_ids`, and that worker to a lease, which it renews
while it lives. The list names one attempt and no other, so an attempt that others have given up
cannot end the job any more.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from json import JSONEncoder
from random import uniform
from traceback import format_exception
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, TaskResultStatus
from django.utils import timezone
from django.utils.json import normalize_json
from django_tasks_db.models import DBTaskResult

from onloop.conf import settings
from onloop.tasks.models import Lease

type Job = DBTaskResult[Any, Any]
type Outcome = Mapping[str, Any]

LONGEST_BACK_OFF = 3600.0
MAX_ERROR_CHARACTERS = 16 * 1024


class WorkerLostError(Exception):
    """The process that ran the job has gone without a word."""


class ResultTooLargeError(ValueError):
    """The result of a job is larger than `settings.JOBS_MAX_RESULT_BYTES`."""


def open_lease(worker_id: str) -> None:
    """Let a worker claim jobs for `settings.JOBS_LEASE_SECONDS`, by the database's clock."""
    Lease.objects.create(worker_id=worker_id, expires_at=_lease_end())


def renew_lease(worker_id: str) -> bool:
    """Renew a lease; False where there is none, so that the worker's jobs are not its own."""
    return bool(Lease.objects.filter(pk=worker_id).update(expires_at=_lease_end()))


def close_lease(worker_id: str) -> None:
    """Forget a worker that stops, and put back what it could not end."""
    with transaction.atomic():
        put_back_all(worker_id)
        Lease.objects.filter(pk=worker_id).delete()


def claim(worker_id: str, count: int) -> list[Job]:
    """Give a worker that has a lease the next jobs, `count` at most."""
    ready = DBTaskResult.objects.ready().filter(backend_name=DEFAULT_TASK_BACKEND_ALIAS)
    if not ready.exists():  # An idle worker leaves SQLite's one write lock to others.
        return []
    with transaction.atomic():
        # Locked, so that nobody takes it to be expired before its jobs can be seen.
        if Lease.objects.select_for_update().filter(pk=worker_id).first() is None:
            return []
        jobs = list(ready.select_for_update(skip_locked=True)[:count])
        for job in jobs:
            job.claim(worker_id)
    return jobs


def put_back_all(worker_id: str, *, but: Collection[UUID] = ()) -> None:
    """Put back the running jobs of a worker, except those that it has in hand."""
    for job in DBTaskResult.objects.running():
        if job.worker_ids[-1] == worker_id and job.pk not in but:
            end_attempt(job, put_back(job))


def end_attempt(job: Job, outcome: Outcome) -> bool:
    """Write how an attempt ended; False where it was given up before, and nothing is written."""
    attempt = DBTaskResult.objects.filter(
        pk=job.pk, status=TaskResultStatus.RUNNING, worker_ids=job.worker_ids
    )
    if not attempt.update(**outcome):
        return False
    for name, value in outcome.items():
        setattr(job, name, value)
    return True


def success(return_value: object) -> Outcome:
    """Return the outcome of a job that is done.

    Raises:
        TypeError, ValueError: the result is not JSON.
        ResultTooLargeError: it is larger than `settings.JOBS_MAX_RESULT_BYTES`.
    """
    result = normalize_json(return_value)
    _check_size(result)
    return {
        "status": TaskResultStatus.SUCCESSFUL,
        "finished_at": timezone.now(),
        "return_value": result,
        "exception_class_path": "",
        "traceback": "",
    }


def failure(job: Job, error: BaseException) -> Outcome:
    """Return the outcome of an attempt that failed: another one later, or none any more.

    A result that is too large is not computed again: it would be as large.
    """
    outcome = {
        "exception_class_path": _text(f"{type(error).__module__}.{type(error).__qualname__}"),
        "traceback": _text("".join(format_exception(error))),
    }
    attempts = len(job.worker_ids)
    if attempts >= settings.JOBS_ATTEMPTS or isinstance(error, ResultTooLargeError):
        return outcome | {"status": TaskResultStatus.FAILED, "finished_at": timezone.now()}
    pause = min(settings.JOBS_RETRY_SECONDS * 2 ** (attempts - 1), LONGEST_BACK_OFF)
    run_after = timezone.now() + timedelta(seconds=pause * uniform(1, 1.5))  # noqa: S311
    return outcome | {"status": TaskResultStatus.READY, "run_after": run_after}


def put_back(job: Job) -> Outcome:
    """Return the outcome of an attempt that was stopped, and does not count."""
    return {"status": TaskResultStatus.READY, "worker_ids": job.worker_ids[:-1]}


def end_lost_attempts() -> list[Job]:
    """End the attempts of workers whose lease has expired; return the jobs that had no other."""
    expired = Lease.objects.filter(expires_at__lt=Now())
    if not expired.exists():
        return []
    failed: list[Job] = []
    with transaction.atomic():
        # Locked, so that a worker that was only slow learns of this when it renews its lease.
        lost = {lease.pk for lease in expired.select_for_update(skip_locked=True)}
        for job in DBTaskResult.objects.running():
            if job.worker_ids[-1] in lost:
                error = WorkerLostError(f"The worker {job.worker_ids[-1]} was lost.")
                if end_attempt(job, failure(job, error)) and job.finished_at:
                    failed.append(job)
        Lease.objects.filter(pk__in=lost).delete()
    return failed


def _check_size(result: object) -> None:
    size = 0
    # In pieces, so that other threads run meanwhile and nothing is built of a result without end.
    for piece in JSONEncoder().iterencode(result):
        size += len(piece)
        if size > settings.JOBS_MAX_RESULT_BYTES:
            raise ResultTooLargeError(
                "The result is larger than JOBS_MAX_RESULT_BYTES,"
                f" which is {settings.JOBS_MAX_RESULT_BYTES}."
            )


def _text(text: str) -> str:
    """Return a text that every database takes: without NUL and surrogates, and not too long."""
    if len(text) > MAX_ERROR_CHARACTERS:
        half = MAX_ERROR_CHARACTERS // 2
        text = f"{text[:half]} [...] {text[-half:]}"
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.JOBS_LEASE_SECONDS)

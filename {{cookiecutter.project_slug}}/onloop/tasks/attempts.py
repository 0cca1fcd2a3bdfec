"""Attempts at a job: how a worker claims one, and how it ends.

A running job belongs to the last of its `worker_ids`, which is a worker with a lease. The list
identifies exactly one attempt, so an attempt that another worker has ended cannot end the job
again.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from json import JSONEncoder
from random import uniform
from traceback import format_exception
from typing import Any
from uuid import UUID

from django.db import transaction
from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, TaskResultStatus
from django.utils import timezone
from django.utils.json import normalize_json
from django_tasks_db.models import DBTaskResult

from onloop.conf import settings
from onloop.tasks.models import Lease

type Job = DBTaskResult[Any, Any]
type Outcome = Mapping[str, Any]

_LONGEST_BACK_OFF = 3600.0
_MAX_ERROR_CHARACTERS = 16 * 1024


class ResultTooLargeError(ValueError):
    """The result of a job is larger than `settings.JOBS_MAX_RESULT_BYTES`."""


def claim(worker_id: str, count: int) -> list[Job]:
    """Claim and return the next jobs, at most `count`; none if the worker has no lease."""
    ready = DBTaskResult.objects.ready().filter(backend_name=DEFAULT_TASK_BACKEND_ALIAS)
    if not ready.exists():  # An idle worker must not take SQLite's only write lock.
        return []
    with transaction.atomic():
        # Locked, so that no other worker ends its attempts before this claim is visible.
        if Lease.objects.select_for_update().filter(pk=worker_id).first() is None:
            return []
        jobs = list(ready.select_for_update(skip_locked=True)[:count])
        for job in jobs:
            job.claim(worker_id)
    return jobs


def requeue_all(worker_id: str, *, but: Collection[UUID] = ()) -> None:
    """Requeue the running jobs of a worker, except those in `but`, which it knows about."""
    for job in DBTaskResult.objects.running():
        if job.worker_ids[-1] == worker_id and job.pk not in but:
            end_attempt(job, requeued(job))


def end_attempt(job: Job, outcome: Outcome) -> bool:
    """Write how an attempt ended, and return `True`; if it has ended already, return `False`."""
    attempt = DBTaskResult.objects.filter(
        pk=job.pk, status=TaskResultStatus.RUNNING, worker_ids=job.worker_ids
    )
    if not attempt.update(**outcome):
        return False
    for name, value in outcome.items():
        setattr(job, name, value)
    return True


def success(return_value: object) -> Outcome:
    """Return the outcome of a job that returned this value.

    Raises:
        TypeError, ValueError: the value cannot be represented in JSON.
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
    """Return the outcome of a failed attempt: a later attempt, or the failure of the job.

    A result that is too large fails the job, since another attempt would return the same.
    """
    outcome = {
        "exception_class_path": _text(f"{type(error).__module__}.{type(error).__qualname__}"),
        "traceback": _text("".join(format_exception(error))),
    }
    attempts = len(job.worker_ids)
    if attempts >= settings.JOBS_ATTEMPTS or isinstance(error, ResultTooLargeError):
        return outcome | {"status": TaskResultStatus.FAILED, "finished_at": timezone.now()}
    pause = min(settings.JOBS_RETRY_SECONDS * 2 ** (attempts - 1), _LONGEST_BACK_OFF)
    run_after = timezone.now() + timedelta(seconds=pause * uniform(1, 1.5))  # noqa: S311
    return outcome | {"status": TaskResultStatus.READY, "run_after": run_after}


def requeued(job: Job) -> Outcome:
    """Return the outcome of an interrupted attempt, which does not count as one."""
    return {"status": TaskResultStatus.READY, "worker_ids": job.worker_ids[:-1]}


def _check_size(result: object) -> None:
    size = 0
    # In pieces, so that other threads can run, and a huge text is never built in memory.
    for piece in JSONEncoder().iterencode(result):
        size += len(piece)
        if size > settings.JOBS_MAX_RESULT_BYTES:
            raise ResultTooLargeError(
                "The result is larger than JOBS_MAX_RESULT_BYTES,"
                f" which is {settings.JOBS_MAX_RESULT_BYTES}."
            )


def _text(text: str) -> str:
    """Return the text in a form that every database accepts: shortened, no NUL, no surrogates."""
    if len(text) > _MAX_ERROR_CHARACTERS:
        half = _MAX_ERROR_CHARACTERS // 2
        text = f"{text[:half]} [...] {text[-half:]}"
    return text.replace("\0", "\\0").encode(errors="backslashreplace").decode()

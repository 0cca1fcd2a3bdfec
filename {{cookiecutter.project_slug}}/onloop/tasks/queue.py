"""Queries that `django.tasks` has no interface for: the states of many jobs, and a full queue."""

from collections.abc import Collection
from typing import Any

from django.tasks import DEFAULT_TASK_BACKEND_ALIAS, TaskResultStatus, default_task_backend
from django_tasks_db.models import DBTaskResult

from onloop.conf import settings

type State = tuple[str, int]
"""A job's status and the number of its attempts."""

backend: Any = default_task_backend  # With JOBS_BACKEND=rq, the one of onloop.tasks.rq.


def states(job_ids: Collection[str]) -> dict[str, State]:
    """Return the states of the jobs that exist, by id; with jobs in the database, in one query."""
    if settings.JOBS_BACKEND == "rq":
        return backend.states(job_ids)  # type: ignore[no-any-return]
    jobs = DBTaskResult.objects.only("status", "worker_ids").in_bulk(job_ids)
    return {str(pk): (job.status, len(job.worker_ids)) for pk, job in jobs.items()}


def is_full(limit: int) -> bool:
    """Return whether at least `limit` jobs are waiting, retries included."""
    if settings.JOBS_BACKEND == "rq":
        return backend.count_queued() >= limit  # type: ignore[no-any-return]
    waiting = DBTaskResult.objects.filter(
        status=TaskResultStatus.READY, backend_name=DEFAULT_TASK_BACKEND_ALIAS
    )
    return waiting.order_by()[limit - 1 : limit].exists()

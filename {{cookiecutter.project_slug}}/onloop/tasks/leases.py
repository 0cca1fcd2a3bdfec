"""Leases: the database's record of which workers are alive.

A worker renews its lease while it runs. Once the lease has expired, other workers end its attempts.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django_tasks_db.models import DBTaskResult

from onloop.conf import settings
from onloop.tasks.attempts import Job, end_attempt, failure, requeue_all
from onloop.tasks.models import Lease


class WorkerLostError(Exception):
    """The process that ran the job has died or has not renewed its lease."""


def open_lease(worker_id: str) -> None:
    """Allow a worker to claim jobs for `settings.JOBS_LEASE_SECONDS` by the database's clock."""
    Lease.objects.create(worker_id=worker_id, expires_at=_lease_end())


def renew_lease(worker_id: str) -> bool:
    """Renew a lease; return `False` if it is gone, and with it the worker's jobs."""
    return bool(Lease.objects.filter(pk=worker_id).update(expires_at=_lease_end()))


def close_lease(worker_id: str) -> None:
    """Remove the lease of a worker that is stopping, and requeue its unfinished jobs."""
    with transaction.atomic():
        requeue_all(worker_id)
        Lease.objects.filter(pk=worker_id).delete()


def end_lost_attempts() -> list[Job]:
    """End the attempts of workers whose leases have expired; return the jobs that thereby failed.

    The other jobs get another attempt.
    """
    expired = Lease.objects.filter(expires_at__lt=Now())
    if not expired.exists():
        return []
    failed: list[Job] = []
    with transaction.atomic():
        # Locked, so that a worker that was merely slow finds no lease to renew.
        lost = {lease.pk for lease in expired.select_for_update(skip_locked=True)}
        for job in DBTaskResult.objects.running():
            if job.worker_ids[-1] in lost:
                error = WorkerLostError(f"The worker {job.worker_ids[-1]} was lost.")
                if end_attempt(job, failure(job, error)) and job.finished_at:
                    failed.append(job)
        Lease.objects.filter(pk__in=lost).delete()
    return failed


def _lease_end() -> Any:
    return Now() + timedelta(seconds=settings.JOBS_LEASE_SECONDS)

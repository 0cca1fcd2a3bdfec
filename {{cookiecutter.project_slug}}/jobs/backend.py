"""Jobs in the project's database: django-tasks-db's backend, and two queries that it lacks."""

from collections.abc import Collection

from django.tasks import TaskResultStatus
from django_tasks_db import DatabaseBackend as _DatabaseBackend

type State = tuple[str, int]
"""A job's status and the number of its attempts."""


class DatabaseBackend(_DatabaseBackend):
    """The backend of django-tasks-db, for many jobs in one query."""

    def states(self, job_ids: Collection[str]) -> dict[str, State]:
        """Return the states of the jobs that exist, by their id."""
        from django_tasks_db.models import DBTaskResult  # Backends are made before models.

        jobs = DBTaskResult.objects.only("status", "worker_ids").in_bulk(job_ids)
        return {str(pk): (job.status, len(job.worker_ids)) for pk, job in jobs.items()}

    def queue_is_full(self, limit: int) -> bool:
        """Return whether `limit` jobs or more wait to be run, those to be tried again included."""
        from django_tasks_db.models import DBTaskResult

        jobs = DBTaskResult.objects.filter(status=TaskResultStatus.READY, backend_name=self.alias)
        return jobs.order_by()[limit - 1 : limit].exists()

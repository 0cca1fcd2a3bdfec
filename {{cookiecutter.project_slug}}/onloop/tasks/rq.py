"""Jobs in Redis, run by RQ's own workers: the backend for `JOBS_BACKEND=rq`.

django-tasks-rq is written for django-tasks, the package that became part of Django, and raises that
package's error instead of Django's own.
"""

from collections.abc import Collection
from typing import Any

import django_tasks_rq
from django.tasks.exceptions import TaskResultDoesNotExist
from django_tasks.exceptions import TaskResultDoesNotExist as NoSuchResult

from onloop.tasks.queue import State


class RQBackend(django_tasks_rq.RQBackend):
    """The backend of django-tasks-rq, with Django's error for a job that does not exist."""

    def get_result(self, result_id: str) -> Any:
        """Return a job.

        Raises:
            TaskResultDoesNotExist: there is no job with this id.
        """
        try:
            return super().get_result(result_id)
        except NoSuchResult as error:
            raise TaskResultDoesNotExist(result_id) from error

    def states(self, job_ids: Collection[str]) -> dict[str, State]:
        """Return the states of the jobs that exist, by id."""
        states = {}
        for job_id in job_ids:
            try:
                result = self.get_result(job_id)
            except TaskResultDoesNotExist:
                continue
            states[job_id] = (result.status, result.attempts)
        return states

    def count_queued(self) -> int:
        """Return the number of waiting jobs."""
        return sum(queue.count for queue in self._get_queues())

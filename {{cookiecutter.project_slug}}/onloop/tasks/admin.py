"""Jobs in Django's admin."""

from typing import Any

from django.contrib import admin
from django_tasks_db.admin import DBTaskResultAdmin
from django_tasks_db.models import DBTaskResult

admin.site.unregister(DBTaskResult)


@admin.register(DBTaskResult)
class JobAdmin(DBTaskResultAdmin):
    """The read-only list of django-tasks-db, with the number of attempts."""

    list_display = (*DBTaskResultAdmin.list_display, "attempts")  # type: ignore[assignment]

    @admin.display
    def attempts(self, job: DBTaskResult[Any, Any]) -> int:
        """Return the number of attempts."""
        return len(job.worker_ids)

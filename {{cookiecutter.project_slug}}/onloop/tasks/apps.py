"""The Django app of durable jobs."""

from django.apps import AppConfig

from onloop.asgi.lifespan import add_resource
from onloop.conf import settings


class TasksConfig(AppConfig):
    """The app, with a label that does not collide with a project's own `tasks`."""

    name = "onloop.tasks"
    label = "onloop_tasks"

    def ready(self) -> None:
        """Run jobs in every ASGI server, unless `settings.JOBS_EMBEDDED` is off."""
        from onloop.tasks.worker import embedded_worker

        if settings.JOBS_EMBEDDED:
            add_resource(embedded_worker)

from django.apps import AppConfig

from onloop.asgi.lifespan import add_resource
from onloop.conf import settings


class TasksConfig(AppConfig):
    name = "onloop.tasks"
    label = "onloop_tasks"

    def ready(self) -> None:
        """Run jobs in each ASGI server, unless the settings leave that to dedicated workers."""
        from onloop.tasks.worker import embedded_worker

        if settings.JOBS_EMBEDDED:
            add_resource(embedded_worker)

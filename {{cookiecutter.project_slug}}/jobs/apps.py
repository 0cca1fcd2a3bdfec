from django.apps import AppConfig
from django.conf import settings

from runtime.lifespan import add_resource


class JobsConfig(AppConfig):
    name = "jobs"

    def ready(self) -> None:
        """Let each ASGI server run jobs, unless the settings leave that to dedicated workers."""
        from jobs.worker import embedded_worker

        if settings.JOBS_EMBEDDED:
            add_resource(embedded_worker)

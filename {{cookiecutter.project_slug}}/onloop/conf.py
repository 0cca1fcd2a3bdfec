"""The settings of `onloop`, each with a default, so that a project need not define any.

They are read from Django's settings under these names. Durations are in seconds.
"""

from typing import Any

from django.conf import settings as django_settings

DEFAULTS: dict[str, Any] = {
    # asgi: threads for sync code, and received requests that wait for their response
    "SYNC_THREADS": 64,
    "MAX_PENDING_REQUESTS": 0,  # No limit.
    "PORT": 8000,
    # observe
    "METRICS": False,
    "TRACING": False,
    "SITE_NAME": "django",  # The service's name in traces.
    # background: fire-and-forget tasks of one process
    "BACKGROUND_LIMIT": 100,
    # redis: the URL of the Redis that all processes share, or empty
    "REDIS_URL": "",
    # http
    "HTTP_TRANSPORT": "aiohttp",
    "HTTP_RETRIES": 2,
    "HTTP_HEDGING": False,
    "HTTP_BREAKER_PERCENT": 50,
    "HTTP_BREAKER_SECONDS": 10.0,
    # tasks
    "JOBS_BACKEND": "database",
    "JOBS_EMBEDDED": True,
    "JOBS_CONCURRENCY": 20,
    "JOBS_ATTEMPTS": 5,
    "JOBS_MAX_QUEUED": 1000,
    "JOBS_MAX_RESULT_BYTES": 1024**2,
    "JOBS_RETRY_SECONDS": 5.0,
    "JOBS_POLL_SECONDS": 1.0,
    "JOBS_LEASE_SECONDS": 30.0,
    "JOBS_GRACE_SECONDS": 8.0,
}


PROBES = ("healthz", "readyz", "metrics")
"""The paths of `onloop.probes.urls`, polled by machines: never shed or traced, logged at DEBUG."""


class Settings:
    """Django's settings, with the defaults of `onloop` where a project defines none."""

    def __getattr__(self, name: str) -> Any:
        """Return a setting.

        Raises:
            AttributeError: neither the project, nor Django, nor `onloop` defines it.
        """
        if name in DEFAULTS:
            return getattr(django_settings, name, DEFAULTS[name])
        return getattr(django_settings, name)


settings = Settings()

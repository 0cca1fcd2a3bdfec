"""Checks before the first request: a project that cannot serve requests does not start."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.contrib.staticfiles.storage import ManifestFilesMixin, staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand
from django.db import connections

from onloop.conf import settings


@asynccontextmanager
async def checked_project() -> AsyncIterator[None]:
    """Check the project before the server listens. A resource of the ASGI lifespan.

    Raises:
        SystemCheckError: one of Django's system checks fails.
        ImproperlyConfigured: the static files have not been collected.
        Exception: the checks import the URLconf, which has failed.
    """
    await asyncio.to_thread(_check_project)
    yield


def _check_project() -> None:
    """Run Django's system checks, and look for the static files if they must be collected."""
    try:
        BaseCommand().check(databases=[])  # A server starts without its database: see `readyz`.
    finally:
        connections.close_all()  # A third party's check may use one, and this thread ends here.
    storage: object = staticfiles_storage
    if isinstance(storage, ManifestFilesMixin) and storage.read_manifest() is None:
        raise ImproperlyConfigured(
            f"There are no collected static files in {settings.STATIC_ROOT}:"
            " run manage.py collectstatic."
        )

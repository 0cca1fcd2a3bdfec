"""What has to hold before the first request: a project that cannot answer does not start."""

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
        ImproperlyConfigured: the static files were not collected.
        Exception: what importing the URLconf raises, which the checks do.
    """
    await asyncio.to_thread(_check_project)
    yield


def _check_project() -> None:
    """Run Django's system checks, and look for the static files where they must be collected."""
    try:
        BaseCommand().check(databases=[])  # A server starts without its database: see `readyz`.
    finally:
        connections.close_all()  # A check of a third party may use one, and this thread is over.
    storage: object = staticfiles_storage
    if isinstance(storage, ManifestFilesMixin) and storage.read_manifest() is None:
        raise ImproperlyConfigured(
            f"There are no collected static files in {settings.STATIC_ROOT}:"
            " run manage.py collectstatic."
        )

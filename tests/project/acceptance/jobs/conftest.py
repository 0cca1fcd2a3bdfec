import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context

import pytest
from django.db import connections
from onloop.asgi.lifespan import stopping
from onloop.tasks.worker import Worker
from pytest_django import Settings

from tests.acceptance.jobs import tasks


@pytest.fixture(autouse=True)
def _quick_jobs(settings: Settings) -> Iterator[None]:
    """Make the tests independent of the project's own settings, and keep waits short."""
    settings.JOBS_CONCURRENCY = 20
    settings.JOBS_ATTEMPTS = 3
    settings.JOBS_RETRY_SECONDS = 0.001
    settings.JOBS_POLL_SECONDS = 0.01
    settings.JOBS_LEASE_SECONDS = 30.0
    settings.JOBS_GRACE_SECONDS = 30.0
    tasks.forget()
    yield
    tasks.forget()


@asynccontextmanager
async def run_worker() -> AsyncIterator[None]:
    """Run a worker on the event loop of the test, and stop it afterwards."""
    worker = asyncio.create_task(Worker().run(), context=Context())
    try:
        yield
    finally:
        stopping().set()
        await worker
        stopping().clear()


@contextmanager
def database_down() -> Iterator[None]:
    """Refuse new database connections; those of the test keep working."""
    config = connections["default"].settings_dict
    name = config["NAME"]
    config["NAME"] = "/no-such-folder/db.sqlite3"
    try:
        yield
    finally:
        config["NAME"] = name

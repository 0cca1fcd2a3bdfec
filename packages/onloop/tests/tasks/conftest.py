from collections.abc import Iterator

import pytest
from pytest_django import Settings

from tests.tasks import tasks


@pytest.fixture(autouse=True)
def _quick_jobs(settings: Settings) -> Iterator[None]:
    """Wait for little, and begin with none of the jobs of another test."""
    settings.JOBS_CONCURRENCY = 20
    settings.JOBS_ATTEMPTS = 3
    settings.JOBS_RETRY_SECONDS = 0.001
    settings.JOBS_POLL_SECONDS = 0.01
    settings.JOBS_LEASE_SECONDS = 30.0
    settings.JOBS_GRACE_SECONDS = 30.0
    tasks.forget()
    yield
    tasks.forget()

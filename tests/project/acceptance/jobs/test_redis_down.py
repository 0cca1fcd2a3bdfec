"""Jobs in Redis, while it is down."""

import pytest
from django.test import AsyncClient
from pytest_django import Settings


@pytest.fixture(autouse=True)
def _jobs_in_a_redis_that_is_down(settings: Settings, tmp_path: object) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock"
    settings.JOBS_BACKEND = "rq"
    settings.RQ_QUEUES = {"default": {"URL": settings.REDIS_URL}}
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_rq"]
    settings.TASKS = {"default": {"BACKEND": "onloop.tasks.rq.RQBackend"}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "/jobs/aggregate/"),
        ("get", "/jobs/7d1c3f6e-5f4f-4d53-9a0a-6e9a3f8f6d4c/"),
        ("get", "/jobs/7d1c3f6e-5f4f-4d53-9a0a-6e9a3f8f6d4c/events/"),
    ],
)
async def test_jobs_are_unavailable_while_redis_is_down(method: str, path: str) -> None:
    response = await getattr(AsyncClient(), method)(path)

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert response.json()["error"] == {
        "type": "unavailable",
        "message": "A dependency of this service is down. Try again in 5 s.",
    }

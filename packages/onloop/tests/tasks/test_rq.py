"""Jobs in a real Redis, as RQ's workers find them."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.exceptions import TaskResultDoesNotExist
from pytest_django import Settings

from onloop.tasks import queue
from tests.tasks import tasks


@pytest.fixture(autouse=True)
def _jobs_in_redis(redis_url: str, settings: Settings) -> Iterator[None]:
    settings.JOBS_BACKEND = "rq"
    settings.RQ_QUEUES = {"default": {"URL": redis_url}}
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "django_rq"]
    settings.TASKS = {"default": {"BACKEND": "onloop.tasks.rq.RQBackend"}}
    yield
    from django_rq import get_connection

    get_connection().connection_pool.disconnect()


def test_states_are_those_of_the_jobs_that_exist() -> None:
    jobs = [tasks.double.enqueue(number).id for number in range(2)]

    states = queue.states([*jobs, str(uuid4())])

    assert states == dict.fromkeys(jobs, (TaskResultStatus.READY, 0))


def test_queue_is_full_at_its_limit() -> None:
    for number in range(2):
        tasks.double.enqueue(number)

    assert queue.is_full(2)
    assert not queue.is_full(3)


def test_unknown_job_is_the_error_that_django_documents() -> None:
    with pytest.raises(TaskResultDoesNotExist):
        default_task_backend.get_result(str(uuid4()))

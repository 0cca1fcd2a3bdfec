"""Jobs over HTTP: enqueued, looked up, and followed."""

import pytest
from django.test import AsyncClient, Client
from pytest_django import Settings

pytestmark = pytest.mark.django_db

ENQUEUE = "/jobs/aggregate/"


async def test_job_is_accepted_and_found(async_client: AsyncClient) -> None:
    accepted = await async_client.post(ENQUEUE, query_params={"fan_out": "2"})
    job = accepted.json()

    assert accepted.status_code == 202
    assert accepted.headers["Location"] == f"/jobs/{job['id']}/"
    assert (job["status"], job["attempts"], job["task"]) == ("READY", 0, "jobs.tasks.aggregate")
    assert (await async_client.get(f"/jobs/{job['id']}/")).json() == job


async def test_no_csrf_token_is_needed() -> None:
    client = AsyncClient(enforce_csrf_checks=True)

    assert (await client.post(ENQUEUE)).status_code == 202


async def test_jobs_beyond_the_queue_get_503(async_client: AsyncClient, settings: Settings) -> None:
    settings.JOBS_MAX_QUEUED = 2

    responses = [await async_client.post(ENQUEUE) for _ in range(3)]

    assert [response.status_code for response in responses] == [202, 202, 503]
    assert responses[2].json()["error"]["type"] == "queue_full"
    assert int(responses[2].headers["Retry-After"]) > 0


async def test_jobs_count_against_the_rate_limit(
    async_client: AsyncClient, settings: Settings
) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (1, 3600)

    responses = [await async_client.post(ENQUEUE) for _ in range(2)]

    assert [response.status_code for response in responses] == [202, 429]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", ENQUEUE, 405),
        ("POST", f"{ENQUEUE}?fan_out=0", 400),
        ("GET", "/jobs/7d1c3f6e-5f4f-4d53-9a0a-6e9a3f8f6d4c/", 404),
        ("GET", "/jobs/no-uuid/", 404),
        ("GET", "/jobs/no-uuid/events/", 404),
    ],
)
async def test_bad_request_is_refused(
    async_client: AsyncClient, method: str, path: str, status: int
) -> None:
    assert (await async_client.generic(method, path)).status_code == status


def test_admin_lists_jobs(admin_client: Client) -> None:
    job = admin_client.post(ENQUEUE).json()

    page = admin_client.get("/admin/django_tasks_database/dbtaskresult/")

    assert job["id"] in page.text

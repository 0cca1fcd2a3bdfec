"""Aggregations as jobs, over HTTP."""

from types import ModuleType
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import AsyncClient
from django.urls import path
from django_tasks_db.models import DBTaskResult
from jobs.views import enqueue_aggregation
from onloop.authentication import authenticated
from onloop.tasks import views
from onloop.testing import Call, serve_upstream
from pytest_django import Settings

from tests.acceptance.jobs.conftest import run_worker
from tests.acceptance.services.polling import until

User = get_user_model()

pytestmark = pytest.mark.django_db(transaction=True)


async def echo(call: Call) -> None:
    await call.reply(b'{"asked": "%s"}' % call.target.encode())


async def fail(call: Call) -> None:
    await call.reply(b"{}", "400 Bad Request")


async def ended(client: AsyncClient, url: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        return (await client.get(url)).json()  # type: ignore[no-any-return]

    return await until(look, wanted=lambda job: job["finished_at"])


async def test_jobs_can_require_a_login(settings: Settings) -> None:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [  # type: ignore[attr-defined]
        path("enqueue/", authenticated(enqueue_aggregation)),
        path("jobs/<job_id>/", authenticated(views.job), name="job"),
        path("jobs/<job_id>/events/", authenticated(views.job_events)),
    ]
    settings.ROOT_URLCONF = urlconf
    client = AsyncClient()

    assert (await client.post("/enqueue/")).status_code == 401
    for target in ("/jobs/a/", "/jobs/a/events/"):
        assert (await client.get(target)).status_code == 401
    assert not await DBTaskResult.objects.aexists()
    await client.aforce_login(await User.objects.acreate(username="ada"))
    accepted = await client.post("/enqueue/")
    assert accepted.status_code == 202
    assert (await client.get(accepted["Location"])).status_code == 200


async def test_aggregation_is_accepted_run_and_reported(settings: Settings) -> None:
    """No CSRF token is needed, so any client may post."""
    client = AsyncClient(enforce_csrf_checks=True)
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        accepted = await client.post("/jobs/aggregate/?fan_out=2")
        job = accepted.json()
        assert accepted.status_code == 202
        assert accepted["Location"] == f"/jobs/{job['id']}/"
        assert (job["status"], job["attempts"], job["task"]) == ("READY", 0, "jobs.tasks.aggregate")

        async with run_worker():
            job = await ended(client, accepted["Location"])

    assert (job["status"], job["attempts"], job["error"]) == ("SUCCESSFUL", 1, None)
    assert job["enqueued_at"] < job["started_at"] < job["finished_at"]
    assert job["result"]["responses"] == [{"asked": "/?task_id=0"}, {"asked": "/?task_id=1"}]
    assert job["result"]["debug_message"].startswith("fetch executed in ")


async def test_aggregation_without_an_answer_is_retried_and_fails(settings: Settings) -> None:
    async with serve_upstream(fail) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        client = AsyncClient()
        accepted = await client.post("/jobs/aggregate/?fan_out=2")
        async with run_worker():
            job = await ended(client, accepted["Location"])

    assert (job["status"], job["attempts"], job["result"]) == ("FAILED", 3, None)
    assert job["error"] == {
        "type": "httpx.HTTPStatusError",
        "message": "The server answered with status 400.",
    }


async def test_aggregation_with_some_answers_counts_the_errors(settings: Settings) -> None:
    async def answer(call: Call) -> None:
        await (fail if call.target.endswith("=1") else echo)(call)

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        client = AsyncClient()
        accepted = await client.post("/jobs/aggregate/?fan_out=2")
        async with run_worker():
            job = await ended(client, accepted["Location"])

    assert job["result"]["errors"] == 1
    assert job["result"]["responses"][1]["error"]["type"] == "bad_response"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/jobs/aggregate/", 405),
        ("post", "/jobs/aggregate/?fan_out=0", 400),
        ("get", "/jobs/7d1c3f6e-5f4f-4d53-9a0a-6e9a3f8f6d4c/", 404),
        ("get", "/jobs/no-uuid/", 404),
        ("get", "/jobs/no-uuid/events/", 404),
        ("post", "/jobs/no-uuid/", 403),
    ],
)
async def test_bad_request_is_refused(method: str, path: str, status: int) -> None:
    client = AsyncClient(enforce_csrf_checks=True)

    response = await getattr(client, method)(path)

    assert response.status_code == status
    if status == 404:
        assert response.json()["error"]["type"] == "not_found"
        assert path.split("/")[2] in response.json()["error"]["message"]

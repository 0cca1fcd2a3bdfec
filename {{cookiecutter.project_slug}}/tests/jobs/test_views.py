"""Jobs over HTTP: enqueued, asked for, and followed."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import connection
from django.tasks import TaskResultStatus, default_task_backend
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from config.asgi import application
from jobs.views import enqueue_aggregation
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.authentication import authenticated
from onloop.tasks import queue, views, watch
from onloop.tasks.models import Lease
from onloop.tasks.worker import database, embedded_worker
from onloop.testing import Call, serve_app, serve_upstream
from tests.jobs import tasks
from tests.jobs.conftest import database_down, run_worker, until

User = get_user_model()

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of the project, served with the settings of the test."""
    with serve_app(application) as url:
        yield url


async def echo(call: Call) -> None:
    await call.reply(b'{"asked": "%s"}' % call.target.encode())


async def fail(call: Call) -> None:
    await call.reply(b"{}", "400 Bad Request")


async def ended(client: AsyncClient, url: str) -> dict[str, Any]:
    async def look() -> dict[str, Any]:
        return (await client.get(url)).json()  # type: ignore[no-any-return]

    return await until(look, wanted=lambda job: job["finished_at"])


async def test_aggregations_count_against_the_rate_limit(settings: Settings) -> None:
    settings.AGGREGATOR_RATE_LIMIT = (1, 3600)
    statuses = [(await AsyncClient().post("/jobs/aggregate/")).status_code for _ in range(2)]

    assert statuses == [202, 429]


async def test_number_of_calls_is_bounded_by_the_settings(settings: Settings) -> None:
    settings.AGGREGATOR_MAX_FAN_OUT = 10

    response = await AsyncClient().post("/jobs/aggregate/?fan_out=11")

    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "fan_out is '11', but it must be a whole number from 1 to 10."
    )


async def test_jobs_may_be_for_users_only(settings: Settings) -> None:
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


async def test_aggregation_is_accepted_run_and_told(settings: Settings) -> None:
    """No token is asked for, so that any client may post."""
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


async def test_aggregation_without_one_answer_is_tried_again_and_fails(settings: Settings) -> None:
    async with serve_upstream(fail) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        client = AsyncClient()
        accepted = await client.post("/jobs/aggregate/?fan_out=2")
        async with run_worker():
            job = await ended(client, accepted["Location"])

    assert (job["status"], job["attempts"], job["result"]) == ("FAILED", 3, None)
    assert job["error"] == {
        "type": "onloop.http.errors.BadResponseError",
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
async def test_what_cannot_be_answered(method: str, path: str, status: int) -> None:
    client = AsyncClient(enforce_csrf_checks=True)

    response = await getattr(client, method)(path)

    assert response.status_code == status
    if status == 404:
        assert response.json()["error"]["type"] == "not_found"
        assert path.split("/")[2] in response.json()["error"]["message"]


def test_admin_lists_jobs_and_changes_none(admin_client: Client) -> None:
    job = tasks.double.enqueue(1)
    listed = "/admin/django_tasks_database/dbtaskresult/"

    page = admin_client.get(listed).text

    assert job.id in page
    assert "Attempts" in page
    assert admin_client.get(f"{listed}{job.id}/change/").status_code == 200
    assert admin_client.post(f"{listed}{job.id}/change/", {"status": "FAILED"}).status_code == 403
    assert admin_client.post(f"{listed}{job.id}/delete/").status_code == 403


@asynccontextmanager
async def following(url: str) -> AsyncIterator[AsyncIterator[dict[str, str]]]:
    """Open a stream and yield its events, as fields."""
    async with (
        httpx.AsyncClient(timeout=30, trust_env=False) as client,
        client.stream("GET", url) as response,
    ):
        assert response.headers["content-type"] == "text/event-stream"
        yield events(response)


async def events(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            yield fields
            fields = {}


async def change(job: Any, **values: object) -> None:
    """Change a job as a worker in another process does."""
    await DBTaskResult.objects.filter(pk=job.id).aupdate(**values)


async def test_each_change_is_an_event_until_the_end(url: str) -> None:
    job = await tasks.double.aenqueue(1)

    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        first = await anext(stream)
        await change(job, status=TaskResultStatus.RUNNING, worker_ids=["other"])
        second = await anext(stream)
        await change(job, status=TaskResultStatus.SUCCESSFUL, return_value=2)
        third = await anext(stream)
        assert [event async for event in stream] == []

    assert [event["id"] for event in (first, second, third)] == ["0-ready", "1-running", "done"]
    assert {event["event"] for event in (first, second, third)} == {"job"}
    assert json.loads(third["data"])["result"] == 2
    path, done = f"/jobs/{job.id}/events/", {"Last-Event-ID": "done"}
    assert (await AsyncClient().get(path, headers=done)).status_code == 204


async def test_stream_of_a_finished_job_has_one_event(url: str) -> None:
    job = await tasks.double.aenqueue(1)
    await change(job, status=TaskResultStatus.SUCCESSFUL, return_value=2)

    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        assert [event["id"] async for event in stream] == ["done"]


async def test_stream_of_a_deleted_job_ends(url: str) -> None:
    job = await tasks.double.aenqueue(1)

    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        await anext(stream)
        await DBTaskResult.objects.all().adelete()
        assert [event async for event in stream] == []


async def test_watched_jobs_are_one_query_that_reads_no_result(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[tuple[list[str], list[str]]] = []

    def states(job_ids: list[str]) -> Any:
        with CaptureQueriesContext(connection) as queries:
            found = queue.states(job_ids)
        looks.append((sorted(job_ids), [query["sql"] for query in queries]))
        return found

    monkeypatch.setattr(watch, "states", states)
    jobs = [await tasks.double.aenqueue(number) for number in range(2)]
    both = sorted(job.id for job in jobs)

    async def look() -> list[list[str]]:
        return [queries for job_ids, queries in looks if job_ids == both]

    async with AsyncExitStack() as stack:
        streams = [
            await stack.enter_async_context(following(f"{url}/jobs/{job.id}/events/"))
            for job in (jobs[0], jobs[0], jobs[1])
        ]
        for stream in streams:
            await anext(stream)
        ((query,), *_) = await until(look, wanted=bool)
        for job in jobs:
            await change(job, status=TaskResultStatus.SUCCESSFUL, return_value=1)
        for stream in streams:
            assert [event["id"] async for event in stream] == ["done"]

    assert "return_value" not in query


async def test_streams_survive_the_database(url: str, caplog: pytest.LogCaptureFixture) -> None:
    job = await tasks.double.aenqueue(1)

    async def log() -> str:
        return caplog.text

    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        await anext(stream)
        with database_down():
            await until(log, wanted=lambda text: "The states of jobs cannot be read" in text)
        await change(job, status=TaskResultStatus.SUCCESSFUL, return_value=1)
        assert [event["id"] async for event in stream] == ["done"]


async def test_streams_are_told_when_jobs_cannot_be_looked_at(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.05)
    job = await tasks.double.aenqueue(1)

    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        await anext(stream)
        with database_down():
            (told,) = [event async for event in stream]
    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        assert (await anext(stream))["event"] == "job"

    assert told["event"] == "unavailable"
    assert json.loads(told["data"])["error"]["type"] == "unavailable"


async def test_stream_of_a_job_whose_task_is_gone_holds_up_no_other(url: str) -> None:
    gone, job = [await tasks.double.aenqueue(number) for number in range(2)]

    async with (
        following(f"{url}/jobs/{gone.id}/events/") as one,
        following(f"{url}/jobs/{job.id}/events/") as other,
    ):
        await anext(one)
        await anext(other)
        await change(gone, task_path="tests.jobs.tasks.no_such_task")
        await change(job, status=TaskResultStatus.RUNNING, worker_ids=["worker"])
        assert (await anext(other))["id"] == "1-running"
        await change(job, status=TaskResultStatus.SUCCESSFUL, return_value=1)
        assert (await anext(other))["id"] == "done"


async def test_watched_jobs_do_not_hold_up_the_worker() -> None:
    """Whatever their queries wait for."""
    job = await tasks.double.aenqueue(1)
    held = asyncio.create_task(watch.database.run(tasks.thread_gate.wait, 30))

    async with run_worker():

        async def look() -> str:
            return (await DBTaskResult.objects.aget(pk=job.id)).status

        await until(look, wanted=lambda status: status == TaskResultStatus.SUCCESSFUL)
    assert not held.done()
    tasks.thread_gate.set()
    await held


async def test_jobs_beyond_the_bound_are_refused(settings: Settings) -> None:
    settings.JOBS_MAX_QUEUED = 2
    client = AsyncClient()

    answers = [await client.post("/jobs/aggregate/?fan_out=1") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert int(answers[2]["Retry-After"]) > 0
    assert answers[2].json() == {
        "error": {
            "type": "queue_full",
            "message": "2 jobs are waiting already. Try again later.",
        }
    }
    await change(await default_task_backend.aget_result(answers[0].json()["id"]), status="FAILED")
    assert (await client.post("/jobs/aggregate/?fan_out=1")).status_code == 202


async def test_waiting_streams_hold_no_thread(settings: Settings) -> None:
    """There is only one thread, and with it goes the database connection that was used on it."""
    settings.SYNC_THREADS = 1
    settings.JOBS_POLL_SECONDS = 3600.0
    jobs = [await tasks.double.aenqueue(number) for number in range(5)]

    with serve_app(ProtocolRouter(http=EventLoopASGIHandler(), lifespan=Lifespan())) as url:
        async with AsyncExitStack() as streams:
            for job in jobs:
                stream = await streams.enter_async_context(
                    following(f"{url}/jobs/{job.id}/events/")
                )
                assert (await anext(stream))["id"] == "0-ready"


async def test_idle_worker_costs_requests_no_thread(hops: list[str]) -> None:
    await database.run(int)  # Its thread is started once.
    lifespan = Lifespan(embedded_worker)
    app = ProtocolRouter(http=EventLoopASGIHandler(), lifespan=lifespan)

    with serve_app(app) as url:
        async with httpx.AsyncClient(trust_env=False) as client:
            await until(lambda: database.run(Lease.objects.exists), wanted=bool)
            hops.clear()
            for _ in range(50):
                assert (await client.get(f"{url}/healthz")).status_code == 200

    assert hops == []
    assert not await sync_to_async(Lease.objects.exists)()

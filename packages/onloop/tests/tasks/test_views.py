"""The views of any job, and what they cost."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from types import ModuleType
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.tasks import TaskResultStatus
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from django.urls import include, path
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.tasks import queue, views, watch
from onloop.tasks.models import Lease
from onloop.tasks.worker import database, embedded_worker
from onloop.testing import TLS, serve_app
from tests.project.asgi import application
from tests.services.polling import until
from tests.tasks import tasks
from tests.tasks.workers import database_down, run_worker

pytestmark = pytest.mark.django_db(transaction=True)


@views.queue_limited
async def enqueue(request: HttpRequest) -> HttpResponseBase:
    return views.enqueued(await tasks.double.aenqueue(1))


@pytest.fixture(autouse=True)
def _urls(settings: Settings) -> None:
    urlconf = ModuleType("urlconf")
    urlconf.urlpatterns = [  # type: ignore[attr-defined]
        path("enqueue/", enqueue),
        path("jobs/<job_id>/", views.job, name="job"),
        path("jobs/<job_id>/events/", views.job_events),
        path("", include("tests.project.urls")),
    ]
    settings.ROOT_URLCONF = urlconf


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of the project, served with the settings of the test."""
    with serve_app(application) as url:
        yield url


async def test_enqueued_job_has_a_url_and_a_state() -> None:
    client = AsyncClient()

    accepted = await client.post("/enqueue/")

    job = accepted.json()
    assert (accepted.status_code, accepted["Location"]) == (202, f"/jobs/{job['id']}/")
    assert (job["status"], job["attempts"], job["task"]) == ("READY", 0, "tests.tasks.tasks.double")
    assert (job["started_at"], job["result"], job["error"]) == (None, None, None)
    assert (await client.get(accepted["Location"])).json() == job


async def test_failed_job_has_its_last_error() -> None:
    job = await tasks.double.aenqueue(1)
    await change(
        job,
        status=TaskResultStatus.FAILED,
        exception_class_path="builtins.ValueError",
        traceback="Traceback ...\nbuiltins.ValueError: No number.\n",
    )

    state = (await AsyncClient().get(f"/jobs/{job.id}/")).json()

    assert state["error"] == {"type": "builtins.ValueError", "message": "No number."}


@pytest.mark.parametrize("path", ["/jobs/no-uuid/", "/jobs/no-uuid/events/"])
async def test_unknown_job_is_not_found(path: str) -> None:
    response = await AsyncClient().get(path)

    assert response.status_code == 404
    assert response.json()["error"] == {
        "type": "not_found",
        "message": "There is no job 'no-uuid'.",
    }


async def test_jobs_beyond_the_bound_of_the_queue_are_refused(settings: Settings) -> None:
    settings.JOBS_MAX_QUEUED = 2
    client = AsyncClient()

    answers = [await client.post("/enqueue/") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert int(answers[2]["Retry-After"]) > 0
    assert answers[2].json() == {
        "error": {
            "type": "queue_full",
            "message": "2 jobs are waiting already. Try again later.",
        }
    }
    await DBTaskResult.objects.filter(pk=answers[0].json()["id"]).aupdate(status="FAILED")
    assert (await client.post("/enqueue/")).status_code == 202


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
        httpx.AsyncClient(timeout=30, trust_env=False, verify=TLS) as client,
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


async def test_streams_end_when_jobs_cannot_be_read(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_PATIENCE_SECONDS", 0.05)
    job = await tasks.double.aenqueue(1)

    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        await anext(stream)
        with database_down():
            (last,) = [event async for event in stream]
    async with following(f"{url}/jobs/{job.id}/events/") as stream:
        assert (await anext(stream))["event"] == "job"

    assert last["event"] == "unavailable"
    assert json.loads(last["data"])["error"]["type"] == "unavailable"


async def test_stream_of_a_job_without_its_task_delays_no_other(url: str) -> None:
    gone, job = [await tasks.double.aenqueue(number) for number in range(2)]

    async with (
        following(f"{url}/jobs/{gone.id}/events/") as one,
        following(f"{url}/jobs/{job.id}/events/") as other,
    ):
        await anext(one)
        await anext(other)
        await change(gone, task_path="tests.tasks.tasks.no_such_task")
        await change(job, status=TaskResultStatus.RUNNING, worker_ids=["worker"])
        assert (await anext(other))["id"] == "1-running"
        await change(job, status=TaskResultStatus.SUCCESSFUL, return_value=1)
        assert (await anext(other))["id"] == "done"


async def test_watched_jobs_do_not_delay_the_worker() -> None:
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
        async with httpx.AsyncClient(trust_env=False, verify=TLS) as client:
            await until(lambda: database.run(Lease.objects.exists), wanted=bool)
            hops.clear()
            for _ in range(50):
                assert (await client.get(f"{url}/healthz")).status_code == 200

    assert hops == []
    assert not await sync_to_async(Lease.objects.exists)()

"""Jobs in real processes: shared by them, stopped with them, killed with them."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from onloop.testing import Call, serve_process, serve_upstream

from tests.acceptance.services.polling import until

pytestmark = pytest.mark.timeout(240)  # They start many processes, perhaps on a busy machine.

SLOTS = 10
QUICK = {
    "JOBS_EMBEDDED": "true",
    "JOBS_CONCURRENCY": str(SLOTS),
    "JOBS_RETRY_SECONDS": "0.01",
    "JOBS_POLL_SECONDS": "0.05",
    "JOBS_LEASE_SECONDS": "6",  # Longer than a busy machine delays a live process.
}


def manage(*arguments: str, **environment: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    subprocess.run(command, env=os.environ | environment, check=True)


@contextmanager
def dedicated_worker(**environment: str) -> Iterator[subprocess.Popen[str]]:
    worker = subprocess.Popen(
        [sys.executable, "manage.py", "jobs_worker"],
        env=os.environ | QUICK | environment,
        text=True,
        stderr=subprocess.PIPE,
    )
    with worker:
        try:
            yield worker
        finally:
            worker.terminate()


@contextmanager
def web_process(**environment: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the project and read its log, so that the pipe never fills up."""
    with serve_process(**QUICK | environment) as (server, url):
        assert server.stderr
        threading.Thread(target=server.stderr.read, daemon=True).start()
        yield server, url


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite with the project's tables, for copies."""
    path = tmp_path_factory.mktemp("migrated") / "jobs.sqlite3"
    manage("migrate", "--verbosity=0", DATABASE_URL=f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(migrated: Path, tmp_path: Path) -> str:
    return f"sqlite:///{shutil.copy(migrated, tmp_path)}"


@pytest.fixture
def migrated_postgres_url(postgres_url: str) -> str:
    manage("migrate", "--verbosity=0", DATABASE_URL=postgres_url)
    return postgres_url


@pytest.fixture(
    params=[("migrated_postgres_url", 200), ("sqlite_url", 60)], ids=lambda param: param[0]
)
def database(request: pytest.FixtureRequest) -> tuple[str, int]:
    """The URL of a database and the number of jobs to run on it."""
    name, count = request.param
    return str(request.getfixturevalue(name)), count


@contextmanager
def jobs_in(database_url: str) -> Iterator[Callable[[], list[tuple[str, list[str]]]]]:
    """Yield a function that returns the status and the workers of each job."""
    query = "SELECT status, worker_ids FROM django_tasks_database_dbtaskresult"
    if database_url.startswith("sqlite"):
        path = database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, check_same_thread=False)) as file:
            yield lambda: [(status, json.loads(ids)) for status, ids in file.execute(query)]
    else:
        with psycopg.connect(database_url, autocommit=True) as server:
            yield lambda: server.execute(query).fetchall()


async def enqueue(client: httpx.AsyncClient, url: str, count: int = 1) -> list[str]:
    """Enqueue aggregations of one call each; return their URLs."""
    slots = asyncio.Semaphore(SLOTS)

    async def post() -> str:
        async with slots:
            response = await client.post(f"{url}/jobs/aggregate/?fan_out=1")
        assert response.status_code == 202
        return response.headers["Location"]

    return await asyncio.gather(*(post() for _ in range(count)))


async def finished(client: httpx.AsyncClient, url: str) -> Any:
    async def look() -> Any:
        return (await client.get(url)).json()

    return await until(look, wanted=lambda job: job["finished_at"])


async def test_jobs_run_once_on_two_processes_while_one_is_killed(
    database: tuple[str, int],
) -> None:
    """Only jobs that the killed process had started are started again, and each job ends once.

    The upstream answers the victim a number of times and then never again, so it is killed with a
    job in each of its slots and all its other jobs recorded. The survivor waits for that.
    """
    database_url, count = database
    before = count // 5
    calls: Counter[str] = Counter()
    hanging = asyncio.Semaphore(0)
    killed = asyncio.Event()

    async def answer(call: Call) -> None:
        name = call.target.partition("?")[0]
        calls[name] += 1
        if name == "/victim" and calls[name] > before:
            hanging.release()
            await call.closed()
            return
        if name == "/survivor":
            await killed.wait()
        await call.reply()

    async with serve_upstream(answer) as upstream, httpx.AsyncClient(timeout=60) as client:

        def serve(name: str) -> Any:
            upstream_url = f"{upstream.url}{name}"
            return web_process(AGGREGATOR_UPSTREAM_URL=upstream_url, DATABASE_URL=database_url)

        with serve("victim") as (victim, victim_url), serve("survivor") as (_, survivor_url):
            halves = await asyncio.gather(
                enqueue(client, victim_url, count // 2), enqueue(client, survivor_url, count // 2)
            )
            for _ in range(SLOTS):
                await asyncio.wait_for(hanging.acquire(), 120)
            victim.send_signal(signal.SIGKILL)
            killed.set()
            with jobs_in(database_url) as look:
                jobs = await until(
                    lambda: asyncio.to_thread(look),
                    wanted=lambda jobs: {status for status, _ in jobs} == {"SUCCESSFUL"},
                )

    ids = {location for half in halves for location in half}
    assert len(ids) == len(jobs) == count
    assert Counter(len(workers) for _, workers in jobs) == {1: count - SLOTS, 2: SLOTS}
    (victim_id,) = {workers[0] for _, workers in jobs if len(workers) == 2}
    ends = Counter("/victim" if workers[-1] == victim_id else "/survivor" for _, workers in jobs)
    assert ends == {"/victim": before, "/survivor": count - before}
    assert calls == {"/victim": before + SLOTS, "/survivor": count - before}


async def test_stopping_server_finishes_or_requeues_its_jobs(sqlite_url: str) -> None:
    """The other worker serves no requests; its jobs are looked up through a process that does."""
    arrived: asyncio.Queue[Call] = asyncio.Queue()

    async def answer(call: Call) -> None:
        arrived.put_nowait(call)
        await call.closed()

    async with serve_upstream(answer) as upstream, httpx.AsyncClient(timeout=60) as client:
        environment = {
            "AGGREGATOR_UPSTREAM_URL": upstream.url,
            "DATABASE_URL": sqlite_url,
            "JOBS_GRACE_SECONDS": "1",
        }
        with web_process(**environment) as (server, url):
            locations = await enqueue(client, url, 2)
            calls = [await arrived.get() for _ in locations]
            server.terminate()
            await calls[0].reply(b'"before the stop"')
            assert await asyncio.to_thread(server.wait) == -signal.SIGTERM

        environment["JOBS_EMBEDDED"] = "false"
        with (
            web_process(**environment) as (_, url),
            dedicated_worker(**environment) as worker,
        ):
            await (await arrived.get()).reply(b'"after it"')
            jobs = [await finished(client, f"{url}{location}") for location in locations]

    assert worker.returncode == 0
    assert {job["attempts"] for job in jobs} == {1}
    assert sorted(job["result"]["responses"][0] for job in jobs) == ["after it", "before the stop"]


def test_job_that_kills_each_process_is_kept_as_failed(sqlite_url: str) -> None:
    """It kills two workers; the third records that no attempt is left."""
    enqueue = "from tests.acceptance.jobs.tasks import kill_the_process as job; job.enqueue()"
    manage("shell", "--no-imports", "-c", enqueue, DATABASE_URL=sqlite_url)
    environment = {"DATABASE_URL": sqlite_url, "JOBS_ATTEMPTS": "2", "JOBS_LEASE_SECONDS": "1"}

    for _ in range(2):
        with dedicated_worker(**environment) as worker:
            assert worker.wait(120) == -signal.SIGKILL
    with dedicated_worker(**environment) as worker:
        assert worker.stderr
        line = next(line for line in worker.stderr if "FAILED" in line)

    assert "kill_the_process" in line
    assert worker.returncode == 0
    with jobs_in(sqlite_url) as look:
        ((status, workers),) = look()
    assert (status, len(workers)) == ("FAILED", 2)


async def test_jobs_in_redis_are_run_by_rq(redis_url: str, sqlite_url: str) -> None:
    async def echo(call: Call) -> None:
        await call.reply(b'"echo"')

    environment = {"JOBS_BACKEND": "rq", "REDIS_URL": redis_url, "DATABASE_URL": sqlite_url}
    environment |= {"JOBS_MAX_QUEUED": "1", "JOBS_POLL_SECONDS": "0.05"}
    async with serve_upstream(echo) as upstream, httpx.AsyncClient(timeout=60) as client:
        environment["AGGREGATOR_UPSTREAM_URL"] = upstream.url
        with web_process(**environment) as (_, url):
            (location,) = await enqueue(client, url)
            waiting = (await client.get(f"{url}{location}")).json()
            refused = await client.post(f"{url}/jobs/aggregate/")
            async with client.stream("GET", f"{url}{location}events/") as stream:
                lines = stream.aiter_lines()
                first = await anext(lines), await anext(lines)
                command = ("rqworker", "default", "--burst", "--job-class", "django_tasks_rq.Job")
                await asyncio.to_thread(manage, *command, **environment)
                rest = [line async for line in lines]
            job = (await client.get(f"{url}{location}")).json()
            unknown = await client.get(f"{url}/jobs/unknown/")

            (location,) = await enqueue(client, url)
            async with client.stream("GET", f"{url}{location}events/") as stream:
                lines = stream.aiter_lines()
                await anext(lines)
                with redis.Redis.from_url(redis_url) as server:
                    server.delete(f"rq:job:{location.split('/')[-2]}")
                deleted = [line async for line in lines]

    assert (waiting["status"], waiting["attempts"]) == ("READY", 0)
    assert (refused.status_code, refused.json()["error"]["type"]) == (503, "queue_full")
    assert first == ("event: job", "id: 0-ready")
    assert "id: done" in rest
    assert (job["status"], job["attempts"]) == ("SUCCESSFUL", 1)
    assert job["result"]["responses"] == ["echo"]
    assert (unknown.status_code, unknown.json()["error"]["type"]) == (404, "not_found")
    assert "id: done" not in deleted

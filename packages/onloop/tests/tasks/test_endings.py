"""Jobs whose end the database does not take as it is: none stays as running for good."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.tasks import TaskResultStatus, default_task_backend
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from onloop.tasks import attempts
from tests import MEASURED
from tests.services.polling import until
from tests.services.proxies import proxy_of
from tests.tasks import tasks
from tests.tasks.workers import dedicated_worker, manage, run_worker

TABLE = "django_tasks_database_dbtaskresult"
WAYS = ("surrogate", "NUL in its result", "cancel its task", "too large", "refused")
RUN_AGAIN = (
    "UPDATE django_tasks_database_dbtaskresult SET status = 'READY'"
    " WHERE args_kwargs->'args'->>0 = '2'"
)
ENDS = (
    "SELECT args_kwargs->'args'->>0, status, jsonb_array_length(worker_ids), exception_class_path"
    " FROM django_tasks_database_dbtaskresult"
)


async def look(job: Any) -> Any:
    return await default_task_backend.aget_result(job.id)


async def finished(job: Any) -> Any:
    return await until(lambda: look(job), wanted=lambda result: result.is_finished)


@asynccontextmanager
async def refusing(column: str) -> AsyncIterator[None]:
    """Let the database fail with an OperationalError when that column of a job is written."""
    trigger = (
        f"CREATE TRIGGER refusing BEFORE UPDATE OF {column} ON {TABLE}"  # noqa: S608
        " BEGIN INSERT INTO no_such_table VALUES (1); END"
    )
    await sync_to_async(execute)(trigger)
    try:
        yield
    finally:
        await sync_to_async(execute)("DROP TRIGGER refusing")


def execute(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def all_finished(ends: Iterable[tuple[str, int, str]]) -> bool:
    return {status for status, *_ in ends} <= {"SUCCESSFUL", "FAILED"}


@pytest.fixture
def _silent() -> Iterator[None]:
    """Log nothing: the workers of pytest-xdist cannot send what holds a lone surrogate."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("_silent")
@pytest.mark.django_db(transaction=True)
async def test_error_with_a_lone_surrogate_is_kept_escaped() -> None:
    job = await tasks.end_badly.aenqueue("surrogate")

    async with run_worker():
        result = await finished(job)

    assert result.attempts == 3
    last_line = result.errors[0].traceback.strip().rpartition("\n")[2]
    assert last_line == "ValueError: a lone \\ud800, a NUL \\0 and an é"


@pytest.mark.django_db(transaction=True)
async def test_refused_result_becomes_a_failure() -> None:
    job = await tasks.end_badly.aenqueue("refused")

    async with refusing("return_value"), run_worker():
        result = await finished(job)

    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 3)
    assert "no such table: main.no_such_table" in result.errors[0].traceback


@pytest.mark.django_db(transaction=True)
async def test_refused_failure_is_written_when_the_database_takes_it(
    caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.JOBS_ATTEMPTS = 1
    job = await tasks.fail_before.aenqueue(9)

    async def logged() -> str:
        return caplog.text

    async with run_worker():
        async with refusing("traceback"):
            await until(logged, wanted=lambda text: "its outcome is not written yet" in text)
        result = await finished(job)

    assert result.errors[0].exception_class is ValueError


@pytest.mark.django_db(transaction=True)
async def test_result_beyond_the_bound_fails_once(settings: Settings) -> None:
    settings.JOBS_MAX_RESULT_BYTES = 1024 * 1024
    job = await tasks.end_badly.aenqueue("too large")

    async with run_worker():
        result = await finished(job)

    assert (result.status, result.attempts) == (TaskResultStatus.FAILED, 1)
    assert result.errors[0].traceback.endswith(
        "The result is larger than JOBS_MAX_RESULT_BYTES, which is 1048576.\n"
    )


def test_result_up_to_the_bound_is_kept(settings: Settings) -> None:
    result = {"é": ["x" * 50] * 10}
    settings.JOBS_MAX_RESULT_BYTES = len(json.dumps(result))
    assert attempts.success(result)["return_value"] == result

    settings.JOBS_MAX_RESULT_BYTES -= 1
    with pytest.raises(attempts.ResultTooLargeError):
        attempts.success(result)


def test_long_error_keeps_its_beginning_and_its_end() -> None:
    job: Any = DBTaskResult(worker_ids=["worker"])

    traceback = attempts.failure(job, ValueError("x" * 10_000_000 + "the end"))["traceback"]

    assert len(traceback) < 20_000
    assert traceback.startswith("ValueError: xxx")
    assert traceback.endswith("xxxthe end\n")


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection to a database with jobs, which refuses one result as it refuses a huge one."""
    code = "; ".join(
        [
            "from django.core.management import call_command",
            "from tests.tasks.tasks import double, end_badly",
            "call_command('migrate', verbosity=0)",
            "double.enqueue(2)",
            *(f"end_badly.enqueue({way!r})" for way in WAYS),
        ]
    )
    manage("shell", "--no-imports", "-c", code, DATABASE_URL=postgres_url)
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'too large for jsonb' USING ERRCODE = '54000'; END $$"
        )
        connection.execute(
            f"CREATE TRIGGER refusing BEFORE UPDATE ON {TABLE} FOR EACH ROW"
            " WHEN (NEW.return_value = '\"refused\"') EXECUTE FUNCTION refuse()"
        )
        yield connection


async def test_jobs_end_though_answers_are_lost_and_connections_go_silent(
    postgres: psycopg.Connection[Any], postgres_url: str
) -> None:
    """The answer to the first claim, and later all of the worker's connections."""
    environment = {"JOBS_ATTEMPTS": "2", "JOBS_LEASE_SECONDS": "30", "LOG_LEVEL": "error"}

    async def ends() -> dict[str, tuple[str, int, str]]:
        rows = postgres.execute(ENDS).fetchall()
        return {way: (status, attempts, error) for way, status, attempts, error in rows}

    async with proxy_of(postgres_url, 5432) as proxy:
        proxy.cut_after(b"COMMIT")  # The first that a worker sends is that of a claim.
        with dedicated_worker(DATABASE_URL=proxy.url, **environment, **MEASURED) as worker:
            found = await until(ends, wanted=lambda ends: all_finished(ends.values()))

            proxy.silence()
            postgres.execute(RUN_AGAIN)
            again = await until(ends, wanted=lambda ends: all_finished(ends.values()))
            worker.terminate()
            await asyncio.to_thread(worker.wait)

    assert proxy.cuts == 1
    assert found == {
        "2": ("SUCCESSFUL", 1, ""),
        "surrogate": ("FAILED", 2, "builtins.ValueError"),
        "NUL in its result": ("FAILED", 2, "django.db.utils.DataError"),
        "cancel its task": ("FAILED", 2, "asyncio.exceptions.CancelledError"),
        "too large": ("FAILED", 1, "onloop.tasks.attempts.ResultTooLargeError"),
        "refused": ("FAILED", 2, "django.db.utils.OperationalError"),
    }
    assert again["2"] == ("SUCCESSFUL", 2, "")

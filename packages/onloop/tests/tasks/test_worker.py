"""One worker, on the event loop of the test."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.core.management import CommandError, call_command
from django.db import OperationalError, transaction
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.signals import task_finished
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from onloop.tasks import attempts, leases, worker
from onloop.tasks.models import Lease
from tests.services.polling import until
from tests.tasks import tasks
from tests.tasks.workers import database_down, run_worker

pytestmark = pytest.mark.django_db(transaction=True)

FAILED, READY, RUNNING = (
    TaskResultStatus.FAILED,
    TaskResultStatus.READY,
    TaskResultStatus.RUNNING,
)
NEXT_YEAR = timezone.now() + timedelta(days=365)


async def look(job: Any) -> Any:
    return await default_task_backend.aget_result(job.id)


async def finished(job: Any) -> Any:
    return await until(lambda: look(job), wanted=lambda result: result.is_finished)


async def statuses() -> list[str]:
    return [row.status async for row in DBTaskResult.objects.order_by("status")]


async def started(count: int) -> None:
    async def starts() -> int:
        return tasks.starts.total()

    await until(starts, wanted=lambda number: number >= count)


async def logged(caplog: pytest.LogCaptureFixture, message: str) -> None:
    async def text() -> str:
        return caplog.text

    await until(text, wanted=lambda text: message in text)


async def test_async_jobs_run_on_the_event_loop_and_sync_jobs_in_threads() -> None:
    jobs = [await tasks.double.aenqueue(4), await tasks.halve.aenqueue(4)]

    async with run_worker():
        double, half = [(await finished(job)).return_value for job in jobs]

    assert double == {"double": 8, "thread": "MainThread"}
    assert half["half"] == 2
    assert half["thread"].startswith("job_")


async def test_jobs_run_together_up_to_the_bound(settings: Settings) -> None:
    settings.JOBS_CONCURRENCY = 2
    jobs = [await tasks.wait_for_gate.aenqueue(number) for number in range(5)]

    async with run_worker():
        await started(2)
        assert await statuses() == [READY] * 3 + [RUNNING] * 2
        tasks.gate.set()
        results = [(await finished(job)).return_value for job in jobs]

    assert results == [0, 1, 2, 3, 4]
    assert max(tasks.most_running) == 2
    assert not await Lease.objects.aexists()


async def test_job_enqueued_here_runs_immediately(settings: Settings) -> None:
    """It does not wait for the next poll, nor is it looked for before it can be seen."""
    settings.JOBS_POLL_SECONDS = 3600.0

    def enqueue() -> Any:
        with transaction.atomic():
            return tasks.double.enqueue(1)

    async with run_worker():
        await until(Lease.objects.aexists, wanted=bool)
        job = await sync_to_async(enqueue)()
        assert (await finished(job)).attempts == 1


async def test_failed_attempt_is_tried_again() -> None:
    job = await tasks.fail_before.aenqueue(3)

    async with run_worker():
        result = await finished(job)

    assert result.return_value == 3
    assert result.attempts == 3
    assert result.errors == []


async def test_last_attempt_leaves_its_error() -> None:
    ends: list[Any] = []

    async def remember(task_result: Any, **named: Any) -> None:
        ends.append(task_result)

    task_finished.connect(remember)
    job = await tasks.fail_before.aenqueue(4)
    async with run_worker():
        result = await finished(job)
    task_finished.disconnect(remember)

    assert result.status == FAILED
    assert result.attempts == 3
    (error,) = result.errors
    assert error.exception_class is ValueError
    assert error.traceback.endswith("ValueError: not yet \\0 3\n")
    assert [end.id for end in ends] == [job.id]
    assert ends[0].status == FAILED


@pytest.mark.parametrize(
    ("way", "error"),
    [
        ("exit", "builtins.SystemExit"),
        ("cancel", "asyncio.exceptions.CancelledError"),
        ("cancel its task", "asyncio.exceptions.CancelledError"),
        ("no JSON", "builtins.TypeError"),
    ],
)
async def test_job_that_ends_badly_ends_alone(way: str, error: str) -> None:
    bad = await tasks.end_badly.aenqueue(way)

    async with run_worker():
        assert (await finished(bad)).errors[0].exception_class_path == error
        assert (await finished(await tasks.double.aenqueue(1))).return_value["double"] == 2


async def test_job_whose_task_is_gone_fails(caplog: pytest.LogCaptureFixture) -> None:
    job = await tasks.double.aenqueue(1)
    await DBTaskResult.objects.aupdate(task_path="tests.tasks.tasks.no_such_task")

    async def status() -> str:
        return (await DBTaskResult.objects.aget(pk=job.id)).status

    async with run_worker():
        await until(status, wanted=lambda status: status == FAILED)

    row = await DBTaskResult.objects.aget(pk=job.id)
    assert row.exception_class_path == "builtins.ImportError"
    assert "no_such_task" in caplog.text


async def test_jobs_share_no_context_and_leave_no_connection(settings: Settings) -> None:
    settings.JOBS_CONCURRENCY = 1
    jobs = [await tasks.leave_traces.aenqueue(name) for name in ("ada", "bob")]

    async with run_worker():
        found = [(await finished(job)).return_value for job in jobs]

    async def open_connections() -> list[object]:
        return [used for used in tasks.used_connections if used.connection is not None]

    assert found == ["nobody", "nobody"]
    assert len(tasks.used_connections) == 2
    await until(open_connections, wanted=lambda still_open: not still_open)


async def test_stop_lets_jobs_end_and_takes_no_more(settings: Settings) -> None:
    settings.JOBS_CONCURRENCY = 1
    under_way = await tasks.wait_for_gate.aenqueue(1)
    waiting = await tasks.wait_for_gate.aenqueue(2)

    async with run_worker():
        await started(1)
        asyncio.get_running_loop().call_later(0.05, tasks.gate.set)

    assert (await look(under_way)).return_value == 1
    assert (await look(waiting)).status == READY


@pytest.mark.parametrize("job_type", [tasks.wait_for_gate, tasks.block_until_gate])
async def test_job_that_does_not_end_in_time_is_requeued(job_type: Any, settings: Settings) -> None:
    settings.JOBS_GRACE_SECONDS = 0.05
    args = [1] if job_type is tasks.wait_for_gate else []
    job = await job_type.aenqueue(*args)

    async with run_worker():
        await started(1)

    result = await look(job)
    assert result.status == READY
    assert result.attempts == 0
    assert not await Lease.objects.aexists()


async def test_living_worker_renews_its_lease(settings: Settings) -> None:
    settings.JOBS_LEASE_SECONDS = 0.3

    async def lease() -> Lease | None:
        return await Lease.objects.afirst()

    async with run_worker():
        opened = await until(lease, wanted=bool)
        assert opened
        renewed = await until(
            lease, wanted=lambda seen: seen and seen.expires_at > opened.expires_at
        )

    assert renewed
    assert renewed.worker_id == opened.worker_id


@transaction.atomic  # The worker does not renew its lease in between.
def expire_and_end_lost_attempts() -> Any:
    Lease.objects.update(expires_at=timezone.now() - timedelta(hours=1))
    return leases.end_lost_attempts()


async def test_worker_without_a_lease_gives_up_its_jobs(settings: Settings) -> None:
    """It was taken to be dead, so its jobs are tried again, here or elsewhere."""
    settings.JOBS_LEASE_SECONDS = 0.3
    job = await tasks.wait_for_gate.aenqueue(1)

    async with run_worker():
        await started(1)
        assert await sync_to_async(expire_and_end_lost_attempts)() == []
        await started(2)
        assert (await look(job)).worker_ids[1] == str(await Lease.objects.aget())
        tasks.gate.set()
        result = await finished(job)

    assert result.return_value == 1
    assert max(tasks.most_running) == 1
    assert len(set(result.worker_ids)) == 2


async def test_worker_whose_lease_is_gone_claims_nothing() -> None:
    await tasks.double.aenqueue(1)

    assert await sync_to_async(attempts.claim)("gone", 1) == []


async def test_attempt_that_was_given_up_cannot_end_the_job() -> None:
    await tasks.double.aenqueue(1)
    await sync_to_async(leases.open_lease)("slow")
    (job,) = await sync_to_async(attempts.claim)("slow", 1)
    await Lease.objects.aupdate(expires_at=timezone.now() - timedelta(hours=1))
    await sync_to_async(leases.end_lost_attempts)()

    assert not await sync_to_async(attempts.end_attempt)(job, attempts.success("late"))
    assert (await DBTaskResult.objects.aget()).status == READY


def test_each_worker_loses_and_puts_back_its_own_jobs() -> None:
    for name in ("lost", "stopping", "alive"):
        tasks.double.enqueue(1)
        leases.open_lease(name)
        (_,) = attempts.claim(name, 1)

    def claimed() -> set[str]:
        running = DBTaskResult.objects.running()
        return {name for job in running for name in job.worker_ids}

    Lease.objects.filter(pk="lost").update(expires_at=timezone.now() - timedelta(hours=1))
    leases.end_lost_attempts()
    assert claimed() == {"stopping", "alive"}
    leases.close_lease("stopping")
    assert claimed() == {"alive"}


async def test_lost_attempt_is_a_failed_one(settings: Settings) -> None:
    settings.JOBS_ATTEMPTS = 1
    job = await tasks.wait_for_gate.aenqueue(1)
    await sync_to_async(leases.open_lease)("killed")
    await sync_to_async(attempts.claim)("killed", 1)
    await Lease.objects.aupdate(expires_at=timezone.now() - timedelta(hours=1))

    async with run_worker():
        result = await finished(job)

    assert result.errors[0].exception_class is leases.WorkerLostError
    assert "The worker killed was lost." in result.errors[0].traceback


def test_pauses_double_up_to_an_hour(settings: Settings) -> None:
    settings.JOBS_ATTEMPTS = 100
    settings.JOBS_RETRY_SECONDS = 5.0

    for number, pause in [(1, 5), (2, 10), (3, 20), (50, 3600)]:
        job: Any = DBTaskResult(worker_ids=["w"] * number)
        before = timezone.now()
        outcome = attempts.failure(job, ValueError())
        after = timezone.now()

        assert outcome["status"] == READY
        assert before + timedelta(seconds=pause) <= outcome["run_after"]
        assert outcome["run_after"] <= after + timedelta(seconds=1.5 * pause)


def test_command_runs_no_jobs_that_are_elsewhere(settings: Settings) -> None:
    settings.JOBS_BACKEND = "rq"

    with pytest.raises(CommandError, match="JOBS_BACKEND is 'rq'"):
        call_command("jobs_worker")


class Fails:
    """A function that fails with an OperationalError for some times."""

    def __init__(self, function: Any, times: int) -> None:
        self.function = function
        self.times = times

    def __call__(self, *args: Any) -> Any:
        self.times -= 1
        if self.times >= 0:
            raise OperationalError("away")
        return self.function(*args)


async def test_worker_waits_for_the_database(caplog: pytest.LogCaptureFixture) -> None:
    job = await tasks.wait_for_gate.aenqueue(1)
    waiting = await tasks.double.aenqueue(1)
    await DBTaskResult.objects.filter(pk=waiting.id).aupdate(run_after=NEXT_YEAR)

    async with run_worker():
        await started(1)
        with database_down():
            tasks.gate.set()
            await logged(caplog, f"Job {job.id}: its outcome is not written yet")
            await logged(caplog, "The worker cannot reach its jobs; it keeps trying")
            await worker.database.run(int)  # What was called before it has failed as well.
        assert (await finished(job)).attempts == 1
        await DBTaskResult.objects.filter(pk=waiting.id).aupdate(run_after=timezone.now())
        assert (await finished(waiting)).attempts == 1

    assert caplog.text.count("The worker cannot reach its jobs; it keeps trying") == 1
    assert caplog.text.count("its outcome is not written yet") == 1


async def test_passing_error_costs_no_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "end_attempt", Fails(attempts.end_attempt, 2))
    job = await tasks.double.aenqueue(1)

    async with run_worker():
        assert (await finished(job)).attempts == 1


async def test_worker_that_never_had_a_database_stops(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fails = Fails(leases.renew_lease, 1000)
    monkeypatch.setattr(worker, "renew_lease", fails)

    async def looks() -> int:
        return 1000 - fails.times

    async with run_worker():
        await until(looks, wanted=lambda number: number >= 3)

    assert caplog.text.count("The worker cannot reach its jobs") == 1


async def test_stop_requeues_jobs_whose_outcome_is_not_written(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, settings: Settings
) -> None:
    settings.JOBS_GRACE_SECONDS = 0.0
    monkeypatch.setattr(worker, "end_attempt", Fails(attempts.end_attempt, 1))
    job = await tasks.wait_for_gate.aenqueue(1)

    async with run_worker():
        await started(1)

    assert (await look(job)).attempts == 0
    assert "The end of a job was not handled" in caplog.text

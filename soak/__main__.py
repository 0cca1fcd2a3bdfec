"""`python -m soak`: ten minutes of concurrent attacks, and whether the project survived them."""

import argparse
import asyncio
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg

from soak.attacks import Counts, attack
from soak.figures import Figures
from soak.project import Process, copied, environment, prepare, processes
from soak.report import Outcome, markdown, peak, write
from soak.services import Link, database, link, redis_server
from soak.upstream import upstream
from soak.visitors import Aggregations, Jobs, aggregate, enqueue

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reliability.md"
WARM_UP = 30.0
SILENCE = 20.0
# Longer than every timeout of the project: what was held is released by then.
CALM = 90.0


async def soak(project: Path, minutes: float, log_file: Path) -> Outcome:
    """Start everything, attack for that many minutes, and collect the results."""
    with (
        tempfile.TemporaryDirectory() as folder,
        database() as database_url,
        redis_server() as redis_url,
        log_file.open("wb") as log,
    ):
        async with link(database_url) as (proxy, linked_url), upstream() as upstream_url:
            copy = copied(project, Path(folder))
            settings = environment(linked_url, redis_url, upstream_url)
            await asyncio.to_thread(prepare, copy, settings)
            with processes(copy, settings, log) as servers:
                return await run(servers, proxy, database_url, minutes)


async def run(
    servers: Sequence[Process], proxy: Link, database_url: str, minutes: float
) -> Outcome:
    """Run visitors the whole time, and the attacks between two quiet periods.

    Before the first, a short attack lets pools and threads grow to their working size.
    """
    figures = Figures(servers, database_url)
    aggregations, jobs = Aggregations(), Jobs()
    counts: Counts = Counter()
    async with asyncio.TaskGroup() as group:
        visitors = [
            group.create_task(aggregate(servers, aggregations)),
            group.create_task(enqueue(servers, jobs)),
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(WARM_UP):
                await attack(servers, Counter())
        await asyncio.sleep(CALM)
        begin = await figures.sample()
        watching = group.create_task(figures.watch())
        attacking = group.create_task(attack(servers, counts))
        await mishaps(servers, proxy, minutes * 60)
        attacking.cancel()
        await asyncio.sleep(CALM)
        watching.cancel()
        end = await figures.sample()
        for task in visitors:
            task.cancel()
    statuses, attempted_twice = await asyncio.to_thread(finished_jobs, database_url, jobs)
    return Outcome(
        minutes=minutes,
        aggregations=aggregations,
        jobs=jobs,
        statuses=statuses,
        attempted_twice=attempted_twice,
        begin=begin,
        peak=peak([begin, *figures.samples, end]),
        end=end,
        attacks=counts,
    )


async def mishaps(servers: Sequence[Process], proxy: Link, seconds: float) -> None:
    """Kill one process at one quarter and at three quarters, and silence the database halfway."""
    await asyncio.sleep(seconds / 4)
    await killed_and_started(servers[1])
    await asyncio.sleep(seconds / 4)
    await proxy.silence(SILENCE)
    await asyncio.sleep(max(seconds / 4 - SILENCE, 0))
    await killed_and_started(servers[1])
    await asyncio.sleep(seconds / 4)


async def killed_and_started(server: Process) -> None:
    server.kill()
    await asyncio.to_thread(server.start)


def finished_jobs(database_url: str, jobs: Jobs) -> tuple[dict[str, int], int]:
    """Return the number of accepted jobs by status, and how many were attempted more than once."""
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT status, json_array_length(worker_ids::json)"
            " FROM django_tasks_database_dbtaskresult WHERE id::text = ANY(%s)",
            [jobs.accepted],
        ).fetchall()
    return Counter(status for status, _ in rows), sum(attempts > 1 for _, attempts in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--project", type=Path, required=True, help="a rendered, installed project")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--log", type=Path, default=Path("build/soak.log"))
    arguments = parser.parse_args()
    outcome = asyncio.run(soak(arguments.project, arguments.minutes, arguments.log))
    tables = markdown(outcome)
    print(tables)
    for failure in Counter(outcome.aggregations.unanswered).most_common(5):
        print("not answered:", *failure)
    if arguments.minutes >= 10:
        write(PAGE, tables)
    return 0 if all(one.holds for one in outcome.requirements()) else 1


if __name__ == "__main__":
    sys.exit(main())

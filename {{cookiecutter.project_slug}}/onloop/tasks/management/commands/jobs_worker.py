"""`manage.py jobs_worker`: run jobs in a dedicated process."""

import asyncio
import signal
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from onloop.asgi.lifespan import stopping
from onloop.conf import settings
from onloop.database import database_pools
from onloop.http import shared_http_client
from onloop.tasks.worker import Worker

HEARTBEAT_SECONDS = 5.0


class Command(BaseCommand):
    """Run jobs without serving requests."""

    help = "Runs jobs until SIGTERM or SIGINT; then finishes or requeues the running ones."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add `--heartbeat`."""
        parser.add_argument(
            "--heartbeat",
            type=Path,
            metavar="FILE",
            help=f"a file to touch every {HEARTBEAT_SECONDS:g} seconds, for probes",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the jobs in the database.

        Raises:
            CommandError: `settings.JOBS_BACKEND` stores the jobs elsewhere.
        """
        if settings.JOBS_BACKEND != "database":
            raise CommandError("JOBS_BACKEND is 'rq', so `manage.py rqworker` runs the jobs.")
        asyncio.run(work(options["heartbeat"]))


async def work(heartbeat: Path | None) -> None:
    """Run jobs until SIGINT or SIGTERM, and touch the file in the meantime."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping().set)
    async with database_pools(), shared_http_client(), beating(heartbeat):
        await Worker().run()


@asynccontextmanager
async def beating(heartbeat: Path | None) -> AsyncIterator[None]:
    """Touch the file, if there is one, as long as the event loop runs."""
    if heartbeat is None:
        yield
        return
    task = asyncio.create_task(_beat(heartbeat))
    try:
        yield
    finally:
        task.cancel()


async def _beat(heartbeat: Path) -> None:
    while True:
        heartbeat.touch()  # noqa: ASYNC240 - it takes microseconds
        await asyncio.sleep(HEARTBEAT_SECONDS)

"""`manage.py jobs_worker`: run jobs in a process of their own, without serving requests."""

import asyncio
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from jobs.worker import Worker
from runtime.http import shared_http_client
from runtime.lifespan import stopping


class Command(BaseCommand):
    help = "Runs background jobs until SIGTERM or SIGINT; then ends or puts back those under way."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the jobs in the database.

        Raises:
            CommandError: the settings put them elsewhere.
        """
        if settings.JOBS_BACKEND != "database":
            raise CommandError("JOBS_BACKEND is 'rq', so `manage.py rqworker` runs the jobs.")
        asyncio.run(work())


async def work() -> None:
    """Run jobs until the process is asked to stop."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping().set)
    async with shared_http_client():
        await Worker().run()

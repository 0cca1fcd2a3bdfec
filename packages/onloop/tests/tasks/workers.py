"""Workers, on the event loop of a test and in processes of their own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import Context

from django.db import connections

from onloop.asgi.lifespan import stopping
from onloop.tasks.worker import Worker


@asynccontextmanager
async def run_worker() -> AsyncIterator[None]:
    """Run a worker on the event loop of the test, and stop it afterwards."""
    worker = asyncio.create_task(Worker().run(), context=Context())
    try:
        yield
    finally:
        stopping().set()
        await worker
        stopping().clear()


@contextmanager
def database_down() -> Iterator[None]:
    """Let no new connection to the database open; those that the test has go on."""
    config = connections["default"].settings_dict
    name = config["NAME"]
    config["NAME"] = "/no-such-folder/db.sqlite3"
    try:
        yield
    finally:
        config["NAME"] = name


def manage(*arguments: str, **environment: str) -> None:
    """Run a management command of the project."""
    command = [sys.executable, "-m", "django", *arguments]
    subprocess.run(command, env=os.environ | environment, check=True)


@contextmanager
def dedicated_worker(**environment: str) -> Iterator[subprocess.Popen[str]]:
    """Run `jobs_worker`, which looks for jobs often, in a process of its own."""
    quick = {"JOBS_RETRY_SECONDS": "0.01", "JOBS_POLL_SECONDS": "0.05"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "django", "jobs_worker"],
        env=os.environ | quick | environment,
        text=True,
        stderr=subprocess.PIPE,
    )
    with worker:
        try:
            yield worker
        finally:
            worker.terminate()

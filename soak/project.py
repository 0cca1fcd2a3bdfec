"""The processes of the rendered project, as production starts them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from soak.services import free_port, wait_for

# Each visitor's page of an unknown URL reads the session and the user from the database.
NOT_FOUND_PAGE = "<title>Not found</title><p>{{ user }}, there is no such page.</p>"
COMMAND = ("-m", "onloop.server", "config.asgi:application", "--host", "127.0.0.1", "--port")


class Process:
    """One server process; `port` stays the same over restarts."""

    def __init__(self, folder: Path, environment: dict[str, str], log: IO[bytes]) -> None:
        self.port = free_port()
        self._folder = folder
        self._environment = environment | {"PORT": str(self.port)}
        self._log = log
        self.start()

    def start(self) -> None:
        """Start it, and return once it listens.

        Raises:
            RuntimeError: it does not.
        """
        self._process = subprocess.Popen(
            [sys.executable, *COMMAND, str(self.port)],
            cwd=self._folder,
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
        )
        wait_for(self.port, self._process)

    @property
    def pid(self) -> int:
        return self._process.pid

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """End it as a deployment does; return its exit status."""
        self._process.terminate()
        return self._process.wait()

    def open_files(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def copied(project: Path, folder: Path) -> Path:
    """Copy the project, and give it a page for unknown URLs that uses the database."""
    copy = folder / "project"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".venv", ".env", "*.sqlite3*"))
    (copy / "live" / "templates" / "404.html").write_text(NOT_FOUND_PAGE)
    return copy


def environment(database_url: str, redis_url: str, upstream_url: str) -> dict[str, str]:
    """The settings of production, with limits that ten minutes can reach."""
    return {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "only-for-the-soak-test-only-for-the-soak-test-only-for",
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS_ONLY": "false",
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": "4",
        "REDIS_URL": redis_url,
        "AGGREGATOR_UPSTREAM_URL": upstream_url,
        "AGGREGATOR_TIMEOUT": "3",
        "AGGREGATOR_DEADLINE": "8",
        "AGGREGATOR_RATE_LIMIT": "50/second",
        # A job keeps what its upstream sends, and this one sends much.
        "JOBS_MAX_RESULT_BYTES": str(4 * 1024**2),
        "SYNC_API_DELAY": "0",
        "LOG_LEVEL": "warning",
    }


def prepare(project: Path, settings: dict[str, str]) -> None:
    """Migrate the database and collect the static files."""
    for command in (["migrate", "--no-input"], ["collectstatic", "--no-input"]):
        subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=project,
            env=settings,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def processes(project: Path, settings: dict[str, str], log: IO[bytes]) -> Iterator[list[Process]]:
    """Two processes that share the database and Redis."""
    servers = [Process(project, settings, log) for _ in range(2)]
    try:
        yield servers
    finally:
        for server in servers:
            server.stop()

"""`manage.py migrate`, started on several machines at the same time."""

import asyncio
import os
import subprocess
import sys

import psycopg

from onloop.management.commands.migrate import LOCK
from tests import MEASURED

# The second database of these two is locked.
TWO_DATABASES = """
import django
from django.conf import settings
from django.core.management import call_command
settings.DATABASES["other"] = settings.DATABASES["default"]
settings.DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
django.setup()
for database in ("default", "other"):
    call_command("migrate", "contenttypes", "--no-color", "--database", database)
"""


def python(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", *arguments],
        env=os.environ | {"DATABASE_URL": url} | MEASURED,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def test_several_at_once_migrate_once(postgres_url: str) -> None:
    migrate = ["-m", "django", "migrate", "auth", "--no-color", "--skip-checks"]
    processes = [python(postgres_url, *migrate) for _ in range(2)]
    logs = await asyncio.gather(*(asyncio.to_thread(p.communicate) for p in processes))

    assert [process.returncode for process in processes] == [0] * 2, logs
    assert sum("Applying auth.0001_initial... OK" in log for log, _ in logs) == 1
    assert sum("No migrations to apply." in log for log, _ in logs) == 1


def test_one_waits_for_the_lock_of_its_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other_process:
        other_process.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        waiting = python(postgres_url, "-c", TWO_DATABASES)
        assert waiting.stdout is not None
        lines: list[str] = []
        for line in waiting.stdout:
            lines.append(line)
            if line.startswith("Waiting for another process"):
                break
        assert any("Applying contenttypes.0001_initial... OK" in line for line in lines)
        tables = other_process.execute("SELECT to_regclass('django_migrations')").fetchone()
        assert tables == (None,)

        other_process.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        log, _ = waiting.communicate()

    assert waiting.returncode == 0
    assert "Applying contenttypes.0001_initial... OK" in log

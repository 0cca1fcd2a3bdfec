"""`manage.py migrate`, started on several machines at the same time."""

import asyncio
import os
import subprocess
import sys

import psycopg

from onloop.management.commands.migrate import LOCK

OTHER_DATABASE = """
import sys, django
from django.conf import settings
from django.core.management import call_command
settings.DATABASES["other"] = settings.DATABASES["default"]
settings.DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
django.setup()
call_command("migrate", "contenttypes", "--no-color", *sys.argv[1:])
"""


def migrate(url: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", *arguments],
        env=os.environ | {"DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


async def test_several_at_once_migrate_once(postgres_url: str) -> None:
    processes = [migrate(postgres_url, "-m", "django", "migrate", "--no-color") for _ in range(3)]
    logs = await asyncio.gather(*(asyncio.to_thread(p.communicate) for p in processes))

    assert [process.returncode for process in processes] == [0] * 3, logs
    assert sum("Applying auth.0001_initial... OK" in log for log, _ in logs) == 1
    assert sum("No migrations to apply." in log for log, _ in logs) == 2


def test_one_waits_for_the_lock_of_its_database(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as other_process:
        other_process.execute("SELECT pg_advisory_lock(%s)", [LOCK])
        waiting = migrate(postgres_url, "-c", OTHER_DATABASE, "--database=other")
        assert waiting.stdout is not None
        assert waiting.stdout.readline().startswith("Waiting for another process")
        tables = other_process.execute("SELECT to_regclass('django_migrations')").fetchone()
        assert tables == (None,)

        default = migrate(postgres_url, "-c", OTHER_DATABASE)
        log, _ = default.communicate()
        assert (default.returncode, "Waiting" in log) == (0, False)

        other_process.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
        log, _ = waiting.communicate()

    assert waiting.returncode == 0
    assert "Applying contenttypes.0001_initial... OK" in log

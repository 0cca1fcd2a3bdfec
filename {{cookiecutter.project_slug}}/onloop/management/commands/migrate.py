"""`manage.py migrate`, safe to start on several machines at the same time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands import migrate
from django.db import connections
from django.db.backends.base.base import NO_DB_ALIAS
from django.db.backends.utils import CursorWrapper

LOCK = int.from_bytes(b"migrate")
PAUSE_SECONDS = 0.2


class Command(migrate.Command):
    """Django's command, run one at a time on a PostgreSQL database; SQLite locks its own file."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Wait for other migrations of the same database, then migrate."""
        if connections[options["database"]].vendor != "postgresql":
            super().handle(*args, **options)
            return
        with self.lock(options["database"]):
            super().handle(*args, **options)

    @contextmanager
    def lock(self, database: str) -> Iterator[None]:
        """Hold an advisory lock, which ends with its connection, even if this process is killed.

        The lock is polled instead of waited for in the database: a waiting query keeps its
        snapshot, and `CREATE INDEX CONCURRENTLY` waits for the end of all snapshots.
        https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
        """
        # Outside the pool, and not the connection on which migrations run their transactions.
        connection = connections[database].copy(alias=NO_DB_ALIAS)
        try:
            with connection.cursor() as cursor:
                if not locked(cursor):
                    self.stdout.write("Waiting for another process to migrate this database.")
                    while not locked(cursor):
                        time.sleep(PAUSE_SECONDS)
            yield
        finally:
            connection.close()


def locked(cursor: CursorWrapper) -> bool:
    """Take the lock unless another process has it, and return whether it was free."""
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
    return bool(cursor.fetchone()[0])

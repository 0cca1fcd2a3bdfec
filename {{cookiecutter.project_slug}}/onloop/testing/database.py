"""The database in tests: what a test, its views and their threads write is seen by all of them.

A test with `django_db` is a transaction that is rolled back at its end. Django runs an async view's
queries on another thread than the test's; a connection of its own there would not see what the
test has written, and could not write itself on SQLite.
"""

import threading
from collections.abc import Iterator
from typing import Any
from unittest import TestCase

import pytest
from django.db import connections
from pytest_django.fixtures import validate_django_db

COMMITTING = {"transactional_db", "live_server", "django_db_reset_sequences"}


class _Connections(threading.local):
    """A thread's connections: those of the test, unless the thread has set one of its own."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self.__dict__.update(shared, _shared=shared)

    def __delattr__(self, alias: str) -> None:
        setattr(self, alias, self._shared[alias])


@pytest.fixture(autouse=True)
def _one_connection(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let all threads use the test's connections, where the test is rolled back."""
    if not _is_rolled_back(request):
        yield
        return
    request.getfixturevalue("db")
    shared = {connection.alias: connection for connection in connections.all()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_connections", _Connections(shared))
        for connection in shared.values():
            connection.inc_thread_sharing()
            # Closed at the end of the test, and not of a request.
            patch.setattr(connection, "close", lambda: None)
        yield
    for connection in shared.values():
        connection.dec_thread_sharing()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let a test of the `server` that uses the database commit: requests may be concurrent."""
    names: list[str] = getattr(item, "fixturenames", [])
    uses_database = "db" in names or item.get_closest_marker("django_db")
    if "server" in names and uses_database and "transactional_db" not in names:
        names.append("transactional_db")


def _is_rolled_back(request: pytest.FixtureRequest) -> bool:
    # Django's own classes run their async tests so that all queries are on one thread.
    if request.cls and issubclass(request.cls, TestCase):
        return False
    if not COMMITTING.isdisjoint(request.fixturenames):
        return False
    if marker := request.node.get_closest_marker("django_db"):
        transaction, reset_sequences, *_ = validate_django_db(marker)
        return not (transaction or reset_sequences)
    return "db" in request.fixturenames

"""The database in tests, shared by a test, its views and their threads.

A test with `django_db` runs in a transaction that is rolled back at its end. Django runs an async
view's queries on a different thread than the test's. A separate connection there would not see the
test's data, and could not write to SQLite.
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
    """A thread's connections: those of the test, unless the thread has set its own."""

    def __init__(self, shared: dict[str, Any]) -> None:
        self.__dict__.update(shared, _shared=shared)

    def __delattr__(self, alias: str) -> None:
        setattr(self, alias, self._shared[alias])


@pytest.fixture(autouse=True)
def _one_connection(request: pytest.FixtureRequest) -> Iterator[None]:
    """Make all threads use the test's connections, if the test is rolled back."""
    if not _is_rolled_back(request):
        yield
        return
    request.getfixturevalue("db")
    shared = {connection.alias: connection for connection in connections.all()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "_connections", _Connections(shared))
        for connection in shared.values():
            connection.inc_thread_sharing()
            # Closed at the end of the test, not of a request.
            patch.setattr(connection, "close", lambda: None)
        yield
    for connection in shared.values():
        connection.dec_thread_sharing()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Make tests with `server` and the database commit, since their requests may be concurrent."""
    names: list[str] = getattr(item, "fixturenames", [])
    uses_database = "db" in names or item.get_closest_marker("django_db")
    if "server" in names and uses_database and "transactional_db" not in names:
        names.append("transactional_db")


def _is_rolled_back(request: pytest.FixtureRequest) -> bool:
    # Django's own test classes run all queries of an async test on one thread.
    if request.cls and issubclass(request.cls, TestCase):
        return False
    if not COMMITTING.isdisjoint(request.fixturenames):
        return False
    if marker := request.node.get_closest_marker("django_db"):
        transaction, reset_sequences, *_ = validate_django_db(marker)
        return not (transaction or reset_sequences)
    return "db" in request.fixturenames

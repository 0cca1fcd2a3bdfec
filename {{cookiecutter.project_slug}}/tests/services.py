"""The real PostgreSQL and Redis of this machine, for tests that need them.

Where a service does not answer, its tests are skipped, and with them the coverage that only they
reach; where REQUIRE_SERVICES is set, they fail.
"""

import os
from collections.abc import Iterator
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import redis

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379")
DATABASES = range(1, 16)


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, which is dropped afterwards."""
    name = f"test_{uuid4().hex}"
    try:
        server = psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        missing(request, f"No PostgreSQL at {POSTGRES_URL}: {error}")
    with server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def redis_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a Redis database that no other test run uses meanwhile."""
    with redis.Redis.from_url(REDIS_URL) as server:
        try:
            number = next(n for n in DATABASES if server.set(f"tests:{n}", 1, nx=True, ex=900))
        except redis.ConnectionError as error:
            missing(request, f"No Redis at {REDIS_URL}: {error}")
        yield f"{REDIS_URL}/{number}"
        server.delete(f"tests:{number}")


@pytest.fixture
def redis_url(redis_database: str) -> Iterator[str]:
    """The URL of an empty Redis database, which is emptied afterwards."""
    with redis.Redis.from_url(redis_database) as server:
        server.flushdb()
        yield redis_database
        server.flushdb()


def missing(request: pytest.FixtureRequest, message: str) -> NoReturn:
    """Skip the test, or fail it where services are required."""
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(message)
    if coverage := request.config.pluginmanager.get_plugin("_cov"):
        coverage.options.cov_fail_under = 0
    pytest.skip(message)

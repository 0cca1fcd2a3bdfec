"""A real PostgreSQL and a real Redis, for tests that need them.

Tests touch only what they create: a database of their own on PostgreSQL, and a `redis-server` of
their own, or an empty database of the Redis that TEST_REDIS_URL names.

Where a service is missing, its tests are skipped, and with them the coverage that only they
reach; where REQUIRE_SERVICES is set, they fail.
"""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest
import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database, which is dropped afterwards."""
    with new_database(request) as url:
        yield url


@contextmanager
def new_database(request: pytest.FixtureRequest) -> Iterator[str]:
    """Create a database on PostgreSQL, yield its URL, and drop it."""
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
def redis_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of the Redis database that TEST_REDIS_URL names, or of a new server."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
    elif command := shutil.which("redis-server"):
        with running_redis(command, tmp_path_factory.mktemp("redis")) as url:
            yield url
    else:
        missing(request, "No Redis: no redis-server is installed, and TEST_REDIS_URL is not set.")


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """The URL of an empty Redis database; keys that the test leaves in it are deleted."""
    with empty_redis(redis_server):
        yield redis_server


@contextmanager
def running_redis(command: str, folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk; yield its URL when it answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    options = ["--bind", "127.0.0.1", "--port", port, "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([command, *options], cwd=folder, stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}"
    try:
        retry = Retry(ConstantBackoff(0.05), 200)
        with redis.Redis.from_url(url, retry=retry) as server:
            assert server.info("server")["process_id"] == process.pid
        yield url
    finally:
        process.terminate()
        process.wait()


@contextmanager
def empty_redis(url: str) -> Iterator[None]:
    """Fail unless the database is empty; delete, one by one, the keys it has afterwards."""
    with redis.Redis.from_url(url) as server:
        if keys := server.dbsize():
            pytest.fail(f"The database of TEST_REDIS_URL must be empty, but it holds {keys} keys.")
        yield
        for key in server.scan_iter():
            server.delete(key)


def missing(request: pytest.FixtureRequest, message: str) -> NoReturn:
    """Skip the test, or fail it where services are required."""
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(message)
    if coverage := request.config.pluginmanager.get_plugin("_cov"):
        coverage.options.cov_fail_under = 0
    pytest.skip(message)

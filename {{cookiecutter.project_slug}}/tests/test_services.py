"""Tests use what they create, and nothing of a developer's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from tests.services import empty_redis

PROJECT = Path(__file__).resolve().parents[1]


def test_databases_that_the_shell_names_are_not_used(tmp_path: Path, redis_url: str) -> None:
    developers = tmp_path / "developers.sqlite3"
    (tmp_path / ".env").write_text(f"DATABASE_URL=sqlite:///{developers}\n")
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{developers}",
        "REDIS_URL": redis_url,
        "ENV_FILE": str(tmp_path / ".env"),
    }
    del environment["PYTEST_CURRENT_TEST"]
    script = (
        "import tests.settings as settings;"
        "print(settings.DATABASES['default']['NAME'], repr(settings.REDIS_URL))"
    )

    run = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environment, capture_output=True, text=True
    )

    assert run.stdout == f"{PROJECT / 'test.sqlite3'} ''\n"


def test_redis_database_that_holds_keys_is_refused_and_keeps_them(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url, decode_responses=True) as server:
        server.set("somebody's", "data")

        with pytest.raises(pytest.fail.Exception, match="holds 1 keys"), empty_redis(redis_url):
            """Not reached: the database is not empty."""

        assert server.get("somebody's") == "data"


def test_keys_of_a_test_are_deleted(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as server:
        with empty_redis(redis_url):
            server.set("colour", "blue")

        assert server.dbsize() == 0

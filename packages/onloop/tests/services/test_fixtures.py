"""Tests use an empty Redis, and empty it again."""

import pytest
import redis

from tests.services.fixtures import empty_redis


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

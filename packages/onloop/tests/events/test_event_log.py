"""What a log keeps, and what it forgets."""

from typing import Any

import pytest
from pytest_django import Settings
from redis.asyncio import Redis

from onloop.event import Event
from onloop.events import event_log as log
from onloop.events.event_log import START, Log, ProcessLog, RedisLog, position_of


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock: a list of one number."""
    now = [0.0]
    monkeypatch.setattr(log, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def redis_log(redis_url: str, settings: Settings) -> RedisLog:
    settings.REDIS_URL = redis_url
    return RedisLog()


@pytest.fixture(params=["memory", "redis"])
def any_log(request: pytest.FixtureRequest) -> Log:
    if request.param == "memory":
        return ProcessLog()
    redis_log: RedisLog = request.getfixturevalue("redis_log")
    return redis_log


@pytest.mark.parametrize(
    "text",
    [None, "", "done", "7", "-1", "1-", "1-2-3", " 1-2", "1-2\n", "٣-٣", "1" * 21 + "-0", "a-b"],
)
def test_text_that_is_not_an_id_is_the_start(text: str | None) -> None:
    assert position_of(text) == START


def test_id_is_a_position() -> None:
    assert position_of("12-3") == (12, 3)


async def test_events_after_a_position(any_log: Log) -> None:
    await any_log.append("a", [Event("x", "1"), Event("y", "é")])
    await any_log.append("a", [Event("z", "3")])
    first, *rest = await any_log.read("a", START)
    assert [(event.name, event.data) for event in [first, *rest]] == [
        ("x", "1"),
        ("y", "é"),
        ("z", "3"),
    ]
    assert await any_log.read("a", position_of(first.id)) == rest
    assert await any_log.read("a", position_of(rest[-1].id)) == []
    assert await any_log.read("b", START) == []


async def test_oldest_events_of_a_topic_are_forgotten(
    any_log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "KEEP_EVENTS", 3)
    for number in range(5):
        await any_log.append("a", [Event("n", str(number))])
    assert [event.data for event in await any_log.read("a", START)] == ["2", "3", "4"]
    await any_log.append("a", [Event("n", str(number)) for number in range(9)])
    assert [event.data for event in await any_log.read("a", START)] == ["6", "7", "8"]


async def test_redis_is_read_in_slices(
    redis_log: RedisLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_SLICE_EVENTS", 3)
    numbers = [str(number) for number in range(9)]
    await redis_log.append("a", [Event("n", number) for number in numbers])
    assert [event.data for event in await redis_log.read("a", START)] == numbers


async def test_positions_go_on_after_the_oldest_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "KEEP_EVENTS", 3)
    kept = ProcessLog()
    await kept.append("a", [Event("n", "")] * 5)
    assert (await kept.read("a", START))[0].id == "3-0"


async def test_oldest_topics_are_forgotten(any_log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_KEEP_TOPICS", 2)
    for topic in ("a", "b", "a", "c"):
        await any_log.append(topic, [Event("n", "")])
    assert [await any_log.has(topic) for topic in "abc"] == [True, False, True]


async def test_characters_are_bounded(any_log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "_KEEP_CHARACTERS", 100)
    monkeypatch.setattr(log, "KEEP_EVENTS", 4)
    await any_log.append("a", [Event("n", "x" * 60)])
    await any_log.append("b", [Event("n", "x" * 40)])
    assert await any_log.has("a")
    await any_log.append("b", [Event("n", "x")])
    assert not await any_log.has("a")
    for _ in range(10):
        await any_log.append("b", [Event("n", "x" * 25)])
    assert await any_log.has("b")
    await any_log.append("c", [Event("n", "x" * 101)])
    assert not await any_log.has("b")
    assert not await any_log.has("c")


async def test_topic_is_forgotten_after_a_while(now: list[float]) -> None:
    kept = ProcessLog()
    await kept.append("a", [Event("n", "")])
    now[0] = log.KEEP_SECONDS
    await kept.append("b", [Event("n", "")])
    assert await kept.has("a")
    now[0] += 1
    await kept.append("b", [Event("n", "")])
    assert not await kept.has("a")


@pytest.fixture
def redis(redis_url: str) -> Any:
    return Redis.from_url(redis_url, decode_responses=True)


async def test_redis_forgets_a_topic_after_a_while(redis_log: RedisLog, redis: Any) -> None:
    async with redis:
        await redis_log.append("a", [Event("n", "12345")])
        await redis_log.append("b", [Event("n", "123")])
        for key in await redis.keys():
            assert 0 < await redis.ttl(key) <= log.KEEP_SECONDS
        await redis.zincrby("logs:recent", -log.KEEP_SECONDS * 1_000_000, "log:a")
        await redis_log.append("b", [Event("n", "1")])
        assert set(await redis.keys()) == {"log:b", "logs:recent", "logs:sizes"}
        assert await redis.hgetall("logs:sizes") == {"log:b": "4", "total": "4"}


@pytest.mark.parametrize("lost", ["logs:recent", "logs:sizes"])
async def test_redis_log_goes_on_after_an_eviction(
    redis_log: RedisLog, redis: Any, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Redis has no room left, it deletes whichever key its policy names."""
    monkeypatch.setattr(log, "_KEEP_CHARACTERS", 100)
    async with redis:
        await redis_log.append("a", [Event("n", "x" * 90)])
        await redis.delete(lost)
        for topic in ("b", "c"):
            await redis_log.append(topic, [Event("n", "x" * 90)])
        assert [await redis_log.has(topic) for topic in "bc"] == [False, True]

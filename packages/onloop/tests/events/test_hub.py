"""Topics that are published and followed, in memory and in a real Redis."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest
from channels.layers import InMemoryChannelLayer
from channels_redis.core import RedisChannelLayer
from pytest_django import Settings

from onloop.event import Event
from onloop.events import hubs as hub_module
from onloop.events.event_log import START, Position, ProcessLog, RedisLog, position_of
from onloop.events.hubs import Hub, Publisher, hub
from onloop.per_loop import PerLoop


class CountingLog(ProcessLog):
    """Counts reads and appends; fails or waits where a test wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.appends: list[int] = []
        self.failures = 0
        self.failure: type[Exception] = ConnectionError
        self.open = asyncio.Event()
        self.open.set()

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        self.appends.append(len(events))
        await self.open.wait()
        self.fail()
        await super().append(topic, events)

    async def read(self, topic: str, after: Position) -> list[Event]:
        self.reads += 1
        self.fail()
        return await super().read(topic, after)

    def fail(self) -> None:
        if self.failures:
            self.failures -= 1
            raise self.failure


@pytest.fixture
def log() -> CountingLog:
    return CountingLog()


@pytest.fixture
def layer() -> InMemoryChannelLayer:
    return InMemoryChannelLayer()


@pytest.fixture
def memory_hub(log: CountingLog, layer: InMemoryChannelLayer) -> Hub:
    return Hub(log, layer)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "_RECHECK_SECONDS", 0.01)


@pytest.fixture(params=["memory", "redis"])
def any_hub(request: pytest.FixtureRequest, settings: Settings) -> Hub:
    if request.param == "memory":
        return Hub(ProcessLog(), InMemoryChannelLayer())
    settings.REDIS_URL = request.getfixturevalue("redis_url")
    return Hub(RedisLog(), RedisChannelLayer(hosts=[settings.REDIS_URL]))


async def take(hub: Hub, topic: str, count: int, after: str | None = None) -> list[Event]:
    async with aclosing(hub.follow(topic, after)) as events:
        return [await anext(events) for _ in range(count)]


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def data(events: list[Event]) -> list[str]:
    return [event.data for event in events]


async def test_kept_events_then_new_ones(any_hub: Hub) -> None:
    assert not await any_hub.log.has("t")
    await any_hub.publish("t", Event("n", "1"), Event("n", "2"))
    assert await any_hub.log.has("t")
    async with aclosing(any_hub.follow("t")) as events:
        seen = [await anext(events), await anext(events)]
        for number in ("3", "4"):
            await any_hub.publish("t", Event("n", number))
            await any_hub.publish("other", Event("n", "not this"))
            seen.append(await anext(events))
    assert data(seen) == ["1", "2", "3", "4"]
    assert sorted(seen, key=lambda event: position_of(event.id)) == seen
    assert await take(any_hub, "t", 2, after=seen[1].id) == seen[2:]


@pytest.mark.parametrize("after", ["nonsense", "99999999999999999999-0"])
async def test_id_that_no_event_has_had_counts_as_none(any_hub: Hub, after: str) -> None:
    await any_hub.publish("t", Event("n", "1"), Event("n", "é"))
    assert data(await take(any_hub, "t", 2, after=after)) == ["1", "é"]


async def test_nothing_is_left_of_followers_that_leave(
    any_hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    tails: dict[str, object] = {}
    monkeypatch.setattr(any_hub, "_tails", tails)
    await any_hub.publish("t", Event("n", "1"))
    await take(any_hub, "t", 1)
    tasks = asyncio.all_tasks()
    for _ in range(3):
        await take(any_hub, "t", 1)
    assert asyncio.all_tasks() == tasks
    assert not tails


async def test_followers_of_a_topic_share_one_reader(memory_hub: Hub, log: CountingLog) -> None:
    async with AsyncExitStack() as stack:
        followers = [
            await stack.enter_async_context(aclosing(memory_hub.follow("t"))) for _ in range(1000)
        ]
        await memory_hub.publish("t", Event("n", "1"))
        assert {(await anext(follower)).data for follower in followers} == {"1"}
        reads = log.reads
        await memory_hub.publish("t", Event("n", "2"))
        assert {(await anext(follower)).data for follower in followers} == {"2"}
        assert log.reads == reads + 1


@pytest.mark.usefixtures("impatient")
async def test_lost_wake_up_delays_and_loses_nothing(
    memory_hub: Hub, layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(group: str, message: dict[str, Any]) -> None:
        """As a layer does whose channels are full."""

    async with aclosing(memory_hub.follow("t")) as events:
        await memory_hub.publish("t", Event("n", "1"))
        assert (await anext(events)).data == "1"
        monkeypatch.setattr(layer, "group_send", lose)
        await memory_hub.publish("t", Event("n", "2"))
        assert (await anext(events)).data == "2"


@pytest.mark.usefixtures("impatient")
async def test_lost_group_is_joined_again(memory_hub: Hub, layer: InMemoryChannelLayer) -> None:
    async with aclosing(memory_hub.follow("t")) as events:
        await memory_hub.publish("t", Event("n", "1"))
        await anext(events)
        await layer.flush()
        await until(lambda: bool(layer.groups))


async def test_late_news_of_a_topic_that_nobody_follows_any_more(
    memory_hub: Hub, layer: InMemoryChannelLayer
) -> None:
    async with aclosing(memory_hub.follow("t")) as events:
        await memory_hub.publish("t", Event("n", "1"))
        assert (await anext(events)).data == "1"
        await layer.group_send("topic.t", {"type": "news", "topic": "gone"})
        await memory_hub.publish("t", Event("n", "2"))
        assert (await anext(events)).data == "2"


@pytest.mark.usefixtures("impatient")
async def test_log_that_fails_is_read_again(
    memory_hub: Hub, log: CountingLog, caplog: pytest.LogCaptureFixture
) -> None:
    await memory_hub.publish("t", Event("n", "1"))
    log.failures = 2
    assert data(await take(memory_hub, "t", 1)) == ["1"]
    assert [record.message for record in caplog.records] == [
        "The log of t failed; it is read again."
    ] * 2


@pytest.mark.usefixtures("impatient")
async def test_outage_is_logged_in_one_line(
    memory_hub: Hub, log: CountingLog, caplog: pytest.LogCaptureFixture
) -> None:
    await memory_hub.publish("t", Event("n", "1"))
    log.failures, log.failure = 2, TimeoutError
    assert data(await take(memory_hub, "t", 1)) == ["1"]
    assert caplog.messages == ["Redis is down: no answer within 5 s"]


@pytest.mark.usefixtures("impatient")
async def test_layer_that_fails_is_read_again(
    memory_hub: Hub,
    layer: InMemoryChannelLayer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    receive = layer.receive

    async def fail_once(channel: str) -> dict[str, Any]:
        monkeypatch.setattr(layer, "receive", receive)
        raise ConnectionError

    monkeypatch.setattr(layer, "receive", fail_once)
    async with aclosing(memory_hub.follow("t")) as events:
        for number in range(5):
            await memory_hub.publish("t", Event("n", str(number)))
            assert (await anext(events)).data == str(number)
    assert "The channel layer failed; it is read again." in caplog.messages


async def test_group_that_cannot_be_left_is_logged(
    memory_hub: Hub,
    layer: InMemoryChannelLayer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(group: str, channel: str) -> None:
        raise ConnectionError

    monkeypatch.setattr(layer, "group_discard", fail)
    await memory_hub.publish("t", Event("n", "1"))
    await take(memory_hub, "t", 1)
    assert caplog.messages == ["The group of t could not be left; it expires."]


async def test_follower_joining_during_last_leave_is_woken(
    memory_hub: Hub, layer: InMemoryChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    discard = layer.group_discard
    leaving, joined = asyncio.Event(), asyncio.Event()

    async def slow_discard(group: str, channel: str) -> None:
        leaving.set()
        await joined.wait()
        await discard(group, channel)

    monkeypatch.setattr(layer, "group_discard", slow_discard)
    await memory_hub.publish("t", Event("n", "1"))
    first = asyncio.create_task(take(memory_hub, "t", 1))
    await leaving.wait()
    async with aclosing(memory_hub.follow("t")) as events:
        assert (await anext(events)).data == "1"
        joined.set()
        await first
        await until(lambda: bool(layer.groups))
        await memory_hub.publish("t", Event("n", "2"))
        assert (await anext(events)).data == "2"


@pytest.mark.parametrize(
    ("redis_url", "log_class"), [("", ProcessLog), ("redis://cache.example", RedisLog)]
)
async def test_hub_is_in_redis_where_there_is_one(
    settings: Settings, redis_url: str, log_class: type
) -> None:
    settings.REDIS_URL = redis_url

    assert type(hub().log) is log_class
    assert hub() is hub()


@pytest.fixture
async def own_hub(memory_hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    """The hub of the running event loop."""
    monkeypatch.setattr(hub_module, "_hubs", PerLoop(lambda: memory_hub))
    return hub()


async def test_waiting_events_are_appended_together(own_hub: Hub, log: CountingLog) -> None:
    publisher = Publisher("t")
    await publisher.flush()
    log.open.clear()
    publisher.publish(Event("n", "0"))
    await until(lambda: bool(log.appends))
    for number in range(1, 100):
        publisher.publish(Event("n", str(number)))
    log.open.set()
    await publisher.flush()
    assert log.appends == [1, 99]
    assert data(await log.read("t", START)) == [str(number) for number in range(100)]


async def test_nothing_is_published_after_a_failure(
    own_hub: Hub, log: CountingLog, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = Publisher("t")
    log.failures = 1
    for number in range(3):
        publisher.publish(Event("n", str(number)))
        await publisher.flush()
    assert await log.read("t", START) == []
    assert caplog.messages == ["Publishing to t has stopped."]


async def test_append_that_hangs_is_given_up(
    own_hub: Hub,
    log: CountingLog,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hub_module, "_PATIENCE_SECONDS", 0.01)
    log.open.clear()
    publisher = Publisher("t")
    publisher.publish(Event("n", "1"))
    await publisher.flush()
    assert caplog.messages == ["Publishing to t has stopped: no answer within 0.01 s"]

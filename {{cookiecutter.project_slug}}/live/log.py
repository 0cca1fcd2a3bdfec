"""Where the events of a topic are kept for a while: in this process, or in Redis for all."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NamedTuple, Protocol

KEEP_SECONDS = 600  # After the last event of a topic.
KEEP_EVENTS = 2_000  # Of one topic.
KEEP_TOPICS = 1_000  # In one process, as the next one.
KEEP_CHARACTERS = 64 * 1024 * 1024

type Position = tuple[int, int]
type Event = tuple[str, str]
"""Its name, and its data as text."""

START: Position = (0, 0)


class Entry(NamedTuple):
    """An event as it stands in the log; positions rise."""

    position: Position
    name: str
    data: str

    @property
    def id(self) -> str:
        return "{}-{}".format(*self.position)


def position_of(entry_id: str | None) -> Position:
    """Return the position that an `Entry.id` names, and the start for any other text."""
    match = re.fullmatch("([0-9]{1,20})-([0-9]{1,20})", entry_id or "", re.ASCII)
    return (int(match[1]), int(match[2])) if match else START


def entries_after(entries: list[Entry], position: Position) -> list[Entry]:
    """Return the part of `entries` that comes after `position`."""
    return entries[bisect_right(entries, position, key=lambda entry: entry.position) :]


class Log(Protocol):
    """Keeps the last events of each topic."""

    async def append(self, topic: str, events: Sequence[Event]) -> None: ...

    async def read(self, topic: str, after: Position) -> list[Entry]: ...

    async def has(self, topic: str) -> bool: ...


@dataclass(slots=True)
class _Topic:
    entries: list[Entry] = field(default_factory=list)
    last: int = 0
    characters: int = 0
    appended: float = 0.0


class ProcessLog:
    """Keeps events in memory: a bounded number of topics, events, and characters."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}  # In the order of their last append.
        self._characters = 0

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        kept = self._topics[topic] = self._topics.pop(topic, _Topic())
        for name, data in events:
            kept.last += 1
            kept.entries.append(Entry((kept.last, 0), name, data))
        dropped, kept.entries = kept.entries[:-KEEP_EVENTS], kept.entries[-KEEP_EVENTS:]
        growth = sum(len(data) for _, data in events) - sum(len(entry.data) for entry in dropped)
        kept.characters += growth
        self._characters += growth
        kept.appended = monotonic()
        self._forget()

    async def read(self, topic: str, after: Position) -> list[Entry]:
        kept = self._topics.get(topic)
        return entries_after(kept.entries, after) if kept else []

    async def has(self, topic: str) -> bool:
        return topic in self._topics

    def _forget(self) -> None:
        for topic, kept in list(self._topics.items()):
            if (
                len(self._topics) <= KEEP_TOPICS
                and self._characters <= KEEP_CHARACTERS
                and monotonic() - kept.appended <= KEEP_SECONDS
            ):
                break
            self._characters -= kept.characters
            del self._topics[topic]


class RedisLog:
    """Keeps events in Redis Streams, over the connections of the channel layer in Redis.

    https://redis.io/docs/latest/develop/data-types/streams/
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        key = _key(topic)
        async with self._redis(key).pipeline(transaction=False) as pipeline:
            for name, data in events:
                pipeline.xadd(key, {"name": name, "data": data}, maxlen=KEEP_EVENTS)
            pipeline.expire(key, KEEP_SECONDS)
            await pipeline.execute()

    async def read(self, topic: str, after: Position) -> list[Entry]:
        key = _key(topic)
        found = await self._redis(key).xrange(key, min="({}-{}".format(*after))
        return [
            Entry(position_of(number.decode()), event[b"name"].decode(), event[b"data"].decode())
            for number, event in found
        ]

    async def has(self, topic: str) -> bool:
        key = _key(topic)
        return bool(await self._redis(key).exists(key))

    def _redis(self, key: str) -> Any:
        return self._layer.connection(self._layer.consistent_hash(key))


def _key(topic: str) -> str:
    return f"log:{topic}"

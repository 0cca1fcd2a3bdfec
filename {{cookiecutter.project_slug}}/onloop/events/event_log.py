"""Where the events of a topic are kept for a while: in this process, or in Redis for all."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import batched, chain
from time import monotonic
from typing import Any, NamedTuple, Protocol

from onloop.redis import redis_client

KEEP_SECONDS = 600  # After the last event of a topic.
KEEP_EVENTS = 2_000  # Of one topic.
KEEP_TOPICS = 1_000  # In one process or in one Redis, as the next one.
KEEP_CHARACTERS = 64 * 1024 * 1024  # Of data; bytes in Redis.
SLICE_EVENTS = 100  # That Redis is sent, or sends, at a time.

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


# The streams of all topics are listed by the time of their last append (KEYS[2]), with their sizes
# and the total of these (KEYS[3]). One script changes streams and lists together, so a process that
# dies leaves them right. The lists expire with the last stream. A Redis with `maxmemory` may evict
# one of them: then the bounds hold for what is appended after that.
APPEND = """
local stream, recent, sizes = KEYS[1], KEYS[2], KEYS[3]
local keep_events, keep_topics = tonumber(ARGV[1]), tonumber(ARGV[2])
local keep_bytes, keep_seconds = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]

local function forget(key)
    redis.call('UNLINK', key)
    redis.call('ZREM', recent, key)
    redis.call('HINCRBY', sizes, 'total', 0 - (redis.call('HGET', sizes, key) or 0))
    redis.call('HDEL', sizes, key)
end

local expired = string.format('%.0f', now - keep_seconds * 1000000)
for _, key in ipairs(redis.call('ZRANGEBYSCORE', recent, '-inf', expired)) do
    forget(key)
end
if redis.call('ZCARD', recent) == 0 then
    redis.call('DEL', sizes)
end

local growth = 0
for i = 5, #ARGV, 2 do
    redis.call('XADD', stream, '*', 'name', ARGV[i], 'data', ARGV[i + 1])
    growth = growth + #ARGV[i + 1]
end
local surplus = redis.call('XLEN', stream) - keep_events
if surplus > 0 then
    for _, entry in ipairs(redis.call('XRANGE', stream, '-', '+', 'COUNT', surplus)) do
        growth = growth - #entry[2][4]
    end
    redis.call('XTRIM', stream, 'MAXLEN', keep_events)
end
redis.call('ZADD', recent, string.format('%.0f', now), stream)
redis.call('HINCRBY', sizes, stream, growth)
redis.call('HINCRBY', sizes, 'total', growth)
for _, key in ipairs(KEYS) do
    redis.call('EXPIRE', key, keep_seconds)
end

while redis.call('ZCARD', recent) > keep_topics
    or tonumber(redis.call('HGET', sizes, 'total')) > keep_bytes do
    forget(redis.call('ZRANGE', recent, 0, 0)[1])
end
"""


class RedisLog:
    """Keeps events in Redis Streams: as many as a `ProcessLog`, for all processes together.

    What is long travels in slices, so that Redis answers each in time. All methods raise
    `onloop.redis.redis_errors()` where it does not.
    https://redis.io/docs/latest/develop/data-types/streams/
    """

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        keys = (_key(topic), "logs:recent", "logs:sizes")
        bounds = (KEEP_EVENTS, KEEP_TOPICS, KEEP_CHARACTERS, KEEP_SECONDS)
        async with redis_client() as client:
            for some in batched(events, SLICE_EVENTS):
                fields = chain.from_iterable(some)
                await client.eval(APPEND, len(keys), *keys, *map(str, bounds), *fields)

    async def read(self, topic: str, after: Position) -> list[Entry]:
        entries: list[Entry] = []
        async with redis_client() as client:
            while True:
                start = "({}-{}".format(*after)
                found: Any = await client.xrange(_key(topic), min=start, count=SLICE_EVENTS)
                entries += (_entry(number, event) for number, event in found)
                if len(found) < SLICE_EVENTS:
                    return entries
                after = entries[-1].position

    async def has(self, topic: str) -> bool:
        async with redis_client() as client:
            return bool(await client.exists(_key(topic)))


def _entry(number: bytes, event: dict[bytes, bytes]) -> Entry:
    return Entry(position_of(number.decode()), event[b"name"].decode(), event[b"data"].decode())


def _key(topic: str) -> str:
    return f"log:{topic}"

"""Logs that keep the recent events of each topic: in one process, or in Redis for all of them."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import batched, chain
from time import monotonic
from typing import Any, Protocol

from onloop.event import Event
from onloop.redis import redis_client

KEEP_SECONDS = 600  # After the last event of a topic.
KEEP_EVENTS = 2_000  # Per topic.
_KEEP_TOPICS = 1_000  # Per process or per Redis.
_KEEP_CHARACTERS = 64 * 1024 * 1024  # Of data, per process; bytes per Redis.
_SLICE_EVENTS = 100  # Per command to Redis or reply.

type Position = tuple[int, int]
"""A position in a log, named by the `id` of the event at that position."""

START: Position = (0, 0)


def position_of(event_id: str | None) -> Position:
    """Return the position that an event's id names; any other text names the start."""
    match = re.fullmatch("([0-9]{1,20})-([0-9]{1,20})", event_id or "", re.ASCII)
    return (int(match[1]), int(match[2])) if match else START


def events_after(events: list[Event], position: Position) -> list[Event]:
    """Return the events of a log that come after `position`."""
    return events[bisect_right(events, position, key=lambda event: position_of(event.id)) :]


class Log(Protocol):
    """Keeps the last events of each topic, and gives each a unique id."""

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        """Append events to a topic, and drop events and topics beyond the limits."""

    async def read(self, topic: str, after: Position) -> list[Event]:
        """Return the kept events of a topic after a position, the oldest first."""

    async def has(self, topic: str) -> bool:
        """Return whether events of a topic are kept."""


@dataclass(slots=True)
class _Topic:
    events: list[Event] = field(default_factory=list)
    last: int = 0
    characters: int = 0
    appended: float = 0.0


class ProcessLog:
    """A log in memory, with limits on topics, events, characters and time."""

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}  # In the order of their last append.
        self._characters = 0

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        """Append events; see `Log.append()`."""
        kept = self._topics[topic] = self._topics.pop(topic, _Topic())
        for event in events:
            kept.last += 1
            kept.events.append(replace(event, id=f"{kept.last}-0"))
        dropped, kept.events = kept.events[:-KEEP_EVENTS], kept.events[-KEEP_EVENTS:]
        growth = sum(len(event.data) for event in events)
        growth -= sum(len(event.data) for event in dropped)
        kept.characters += growth
        self._characters += growth
        kept.appended = monotonic()
        self._forget()

    async def read(self, topic: str, after: Position) -> list[Event]:
        """Return events; see `Log.read()`."""
        kept = self._topics.get(topic)
        return events_after(kept.events, after) if kept else []

    async def has(self, topic: str) -> bool:
        """Return whether events of a topic are kept."""
        return topic in self._topics

    def _forget(self) -> None:
        for topic, kept in list(self._topics.items()):
            if (
                len(self._topics) <= _KEEP_TOPICS
                and self._characters <= _KEEP_CHARACTERS
                and monotonic() - kept.appended <= KEEP_SECONDS
            ):
                break
            self._characters -= kept.characters
            del self._topics[topic]


# KEYS[2] lists the streams of all topics by the time of their last append, and KEYS[3] holds their
# sizes and the total. One script changes the stream and both keys, so they stay consistent even if
# a process dies. Both expire with the last stream. A Redis with `maxmemory` may evict one of them:
# then the limits apply to events appended after that.
_APPEND = """
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
    """A log in Redis Streams, with the limits of a `ProcessLog` for all processes together.

    Many events are sent and read in slices, so that Redis replies to each command in time. If it
    does not, every method raises one of `onloop.redis.redis_errors()`.
    https://redis.io/docs/latest/develop/data-types/streams/
    """

    async def append(self, topic: str, events: Sequence[Event]) -> None:
        """Append events; see `Log.append()`."""
        keys = (_key(topic), "logs:recent", "logs:sizes")
        bounds = (KEEP_EVENTS, _KEEP_TOPICS, _KEEP_CHARACTERS, KEEP_SECONDS)
        async with redis_client() as client:
            for some in batched(events, _SLICE_EVENTS):
                fields = chain.from_iterable((event.name, event.data) for event in some)
                await client.eval(_APPEND, len(keys), *keys, *map(str, bounds), *fields)

    async def read(self, topic: str, after: Position) -> list[Event]:
        """Return events; see `Log.read()`."""
        events: list[Event] = []
        async with redis_client() as client:
            while True:
                start = "({}-{}".format(*after)
                found: Any = await client.xrange(_key(topic), min=start, count=_SLICE_EVENTS)
                events += (_event(event_id, fields) for event_id, fields in found)
                if len(found) < _SLICE_EVENTS:
                    return events
                after = position_of(events[-1].id)

    async def has(self, topic: str) -> bool:
        """Return whether events of a topic are kept."""
        async with redis_client() as client:
            return bool(await client.exists(_key(topic)))


def _event(event_id: bytes, fields: dict[bytes, bytes]) -> Event:
    return Event(fields[b"name"].decode(), fields[b"data"].decode(), event_id.decode())


def _key(topic: str) -> str:
    return f"log:{topic}"

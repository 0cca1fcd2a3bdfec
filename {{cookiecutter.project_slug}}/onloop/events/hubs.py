"""Publishing and following topics: a log of events for each topic, and wake-ups for its followers.

An event is first appended to the log of its topic; then the channel layer wakes every process that
follows the topic. Such a process reads the log once for all its followers, so thousands of them
cost one connection and one read. A lost wake-up does no harm: a process joins the topic's group
before it reads, and reads again every few seconds even without a wake-up.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator

from channels.layers import BaseChannelLayer, channel_layers

from onloop.conf import settings
from onloop.event import Event
from onloop.events.event_log import (
    KEEP_EVENTS,
    START,
    Log,
    Position,
    ProcessLog,
    RedisLog,
    events_after,
    position_of,
)
from onloop.per_loop import PerLoop
from onloop.redis import log_outage, redis_errors

logger = logging.getLogger(__name__)

_RECHECK_SECONDS = 5.0
_PATIENCE_SECONDS = 5.0


class Hub:
    """Publishes and follows topics on one event loop.

    A topic's name is at most 90 ASCII letters, digits, hyphens, underscores and periods.
    """

    def __init__(self, log: Log, layer: BaseChannelLayer) -> None:
        self.log = log
        self.layer = layer
        self._tails: dict[str, _Tail] = {}
        self._channel = ""
        self._is_down = False
        self._listener: asyncio.Task[None] | None = None  # Lives as long as the event loop.

    async def publish(self, topic: str, *events: Event) -> None:
        """Append events to the log of a topic, which gives them their ids, and wake its followers.

        Raises:
            Exception: the log or the channel layer has failed, see `onloop.redis.redis_errors()`.
        """
        await self.log.append(topic, events)
        await self.layer.group_send(_group(topic), {"type": "news", "topic": topic})

    async def follow(self, topic: str, after: str | None = None) -> AsyncGenerator[Event]:
        """Yield the events of a topic after the one with the id `after`, then each new one.

        This never ends; close the generator to stop following.
        Without an id, every kept event is yielded, the oldest first. The same holds for an id that
        is invalid, that no event of the topic has had yet, or whose event is no longer kept.
        """
        tail = await self._enter(topic)
        try:
            await tail.has_read.wait()
            position = position_of(after)
            if position > tail.end:
                position = START
            while True:
                changed = tail.changed
                for event in events_after(tail.events, position):
                    position = position_of(event.id)
                    yield event
                await changed.wait()
        finally:
            await self._leave(topic)

    async def _enter(self, topic: str) -> "_Tail":
        if not self._listener:
            self._channel = await self.layer.new_channel()
            self._listener = asyncio.create_task(self._listen())
        tail = self._tails.get(topic)
        if not tail:
            tail = self._tails[topic] = _Tail()
            tail.reader = asyncio.create_task(self._read(topic, tail))
        tail.followers += 1
        return tail

    async def _leave(self, topic: str) -> None:
        tail = self._tails[topic]
        tail.followers -= 1
        if tail.followers:
            return
        del self._tails[topic]
        tail.reader.cancel()
        await asyncio.wait([tail.reader])

    async def _listen(self) -> None:
        """Wake the readers of the topics that the channel layer names."""
        while True:
            try:
                news = await self.layer.receive(self._channel)
            except Exception as error:
                self._note_failure(error, "The channel layer failed; it is read again.")
                await asyncio.sleep(_RECHECK_SECONDS)
            else:
                if tail := self._tails.get(news["topic"]):
                    tail.news.set()

    async def _read(self, topic: str, tail: "_Tail") -> None:
        """Read the log at each wake-up, and every `_RECHECK_SECONDS` without one."""
        try:
            while True:
                tail.news.clear()
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        await self._catch_up(topic, tail)
                except Exception as error:
                    self._note_failure(error, f"The log of {topic} failed; it is read again.")
                try:
                    async with asyncio.timeout(_RECHECK_SECONDS):
                        await tail.news.wait()
                except TimeoutError:
                    tail.joined = False  # A Redis that has restarted has lost its groups.
        finally:
            await self._discard(topic)

    async def _catch_up(self, topic: str, tail: "_Tail") -> None:
        if not tail.joined:
            await self.layer.group_add(_group(topic), self._channel)
            tail.joined = True
        tail.add(await self.log.read(topic, tail.end))
        self._is_down = False

    async def _discard(self, topic: str) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.layer.group_discard(_group(topic), self._channel)
        except Exception as error:
            self._note_failure(error, f"The group of {topic} could not be left; it expires.")
        if tail := self._tails.get(topic):  # A new follower may have joined before the discard.
            tail.joined = False
            tail.news.set()

    def _note_failure(self, error: Exception, message: str) -> None:
        """Log a failure; an outage of Redis only once, until Redis can be read again."""
        outage = _outage(error)
        if not outage:
            logger.error(message, exc_info=error)
        elif not self._is_down:
            self._is_down = True
            log_outage(outage)


class _Tail:
    """The events of a topic that this process has read for all its followers."""

    reader: asyncio.Task[None]

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.followers = 0
        self.joined = False
        self.news = asyncio.Event()
        self.has_read = asyncio.Event()
        self.changed = asyncio.Event()

    @property
    def end(self) -> Position:
        return position_of(self.events[-1].id) if self.events else START

    def add(self, events: list[Event]) -> None:
        self.has_read.set()
        if events:
            self.events = [*self.events, *events][-KEEP_EVENTS:]
            self.changed.set()
            self.changed = asyncio.Event()


class Publisher:
    """Publishes to one topic without waiting.

    Events published while an append is in flight go into the next one. When an append fails, that
    is logged and nothing more is published: a log with a gap would mislead its readers.
    """

    def __init__(self, topic: str) -> None:
        self._topic = topic
        self._waiting: list[Event] = []
        self._sending: asyncio.Task[None] | None = None
        self._failed = False

    def publish(self, event: Event) -> None:
        """Publish an event in the background, in the order of the calls."""
        self._waiting.append(event)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send())

    async def flush(self) -> None:
        """Wait until every event is published or has failed, `_PATIENCE_SECONDS` for each."""
        if self._sending:
            await asyncio.wait([self._sending])

    async def _send(self) -> None:
        while self._waiting and not self._failed:
            events, self._waiting = self._waiting, []
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await hub().publish(self._topic, *events)
            except Exception as error:
                self._failed = True
                if outage := _outage(error):
                    logger.error("Publishing to %s has stopped: %s", self._topic, outage)
                else:
                    logger.exception("Publishing to %s has stopped.", self._topic)


def hub() -> Hub:
    """Return the running event loop's hub: in Redis if `REDIS_URL` is set, else in this process."""
    return _hubs.get()


def _new_hub() -> Hub:
    return Hub(RedisLog() if settings.REDIS_URL else ProcessLog(), channel_layers["default"])


_hubs = PerLoop(_new_hub)


def _outage(error: Exception) -> str:
    """Return the cause if Redis is down or does not reply, or an empty text for a defect."""
    if isinstance(error, TimeoutError):
        return f"no answer within {_PATIENCE_SECONDS:g} s"
    return str(error) if isinstance(error, redis_errors()) else ""


def _group(topic: str) -> str:
    return f"topic.{topic}"

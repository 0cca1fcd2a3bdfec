"""Rates that all processes count together, in Redis; each for itself while Redis is down."""

import logging
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from onloop.conf import settings
from onloop.rates import Rate
from onloop.redis import redis_client

_REDIS_PAUSE_SECONDS = 5.0

logger = logging.getLogger(__name__)

_redis_down_until = 0.0


async def shared_or_here[T](
    shared: Callable[[], Awaitable[T]], here: Callable[[], Awaitable[T]]
) -> T:
    """Return the result of `shared()`, which uses Redis, or of `here()` without Redis.

    After a failure Redis is left alone for `_REDIS_PAUSE_SECONDS`, and the failure is logged.
    """
    global _redis_down_until
    if settings.REDIS_URL and monotonic() >= _redis_down_until:
        from redis import RedisError

        try:
            return await shared()
        except RedisError as error:
            _redis_down_until = monotonic() + _REDIS_PAUSE_SECONDS
            logger.warning(
                "Redis is unreachable: this process counts requests separately for %g s. %s",
                _REDIS_PAUSE_SECONDS,
                error,
            )
    return await here()


# LocalLine describes the line's clock. A key expires when the burst is full. There are no pause and
# no turns in the future then, so the next key may begin with another clock.
_READ = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local line = redis.call('HMGET', KEYS[1], 'full', 'late', 'paused_until')
local full, late = tonumber(line[1] or 0), tonumber(line[2] or 0)
local paused = math.max(tonumber(line[3] or 0) - now, 0)
local clock = now + paused - late
local function keep(field, value)
    redis.call('HSET', KEYS[1], field, string.format('%.0f', value))
    redis.call('PEXPIRE', KEYS[1], math.ceil((full - clock + paused) / 1000))
end
"""
_BOOK = (
    _READ
    + """
local interval, burst, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
full = math.max(full, clock) + interval
local wait = math.max(full - clock - burst, 0)
if wait + paused <= longest then
    keep('full', full)
end
return {wait + paused, clock + wait}
"""
)
_WAIT = f"""{_READ}
return math.max(tonumber(ARGV[1]) - clock, 0) + paused
"""
_PAUSE = f"""{_READ}
local interval, burst, duration = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
full = math.max(full, clock + burst - interval)
if duration > paused then
    late = late + duration - paused
    paused = duration
end
keep('full', full)
keep('late', late)
keep('paused_until', now + paused)
"""


class SharedLine:
    """The `Line` of all processes, kept in Redis under `key`.

    Its methods raise `redis.RedisError` if Redis is down or does not reply in time.
    """

    def __init__(self, key: str, rate: Rate) -> None:
        self._key = key
        self._rate = rate

    async def book(self, longest: int) -> tuple[int, int]:
        """Book the next turn; see `Line.book()`."""
        wait, turn = await self._run(_BOOK, self._rate.interval, self._rate.burst, longest)
        return int(wait), int(turn)

    async def wait(self, turn: int) -> int:
        """Return how long to wait for a turn; see `Line.wait()`."""
        return int(await self._run(_WAIT, turn))

    async def pause(self, duration: int) -> None:
        """Postpone all turns; see `Line.pause()`."""
        await self._run(_PAUSE, self._rate.interval, self._rate.burst, duration)

    async def _run(self, script: str, *arguments: int) -> Any:
        async with redis_client() as client:
            return await client.eval(script, 1, self._key, *map(str, arguments))

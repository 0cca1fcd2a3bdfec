"""Per-client rate limits: a burst, refilled at a constant rate.

With `REDIS_URL` all processes share one count in Redis; otherwise each process counts separately.
The generic cell rate algorithm (GCRA) keeps one number per client: the time at which its burst is
full again. https://brandur.org/rate-limiting#gcra
"""

import ipaddress
import logging
import math
from collections.abc import Callable
from functools import wraps
from time import monotonic, monotonic_ns

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.conf import settings
from onloop.redis import redis_client
from onloop.views import View, error_response

MOST_CLIENTS = 50_000
REDIS_PAUSE_SECONDS = 5.0

type Rate = tuple[int, int]
"""A number of requests, and the seconds in which that many are refilled."""

logger = logging.getLogger(__name__)


def rate_limited[**P](setting: str) -> Callable[[View[P]], View[P]]:
    """Limit each client of an async view to the `Rate` in this setting; `None` means no limit.

    Views that name the same setting share its count. Requests over the limit get status 429 with
    `Retry-After` in seconds (RFC 6585), and do not count.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        async def wrapper(
            request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            try:
                await count_request(setting, request.META.get("REMOTE_ADDR", ""))
            except RateLimitedError as error:
                headers = {"Retry-After": str(error.seconds)}
                return error_response(429, error.type, str(error), headers)
            return await view(request, *args, **kwargs)

        return wrapper

    return decorate


class RateLimitedError(Exception):
    """A client has made too many requests, and may try again in `seconds`."""

    type = "rate_limited"

    def __init__(self, rate: Rate, seconds: int) -> None:
        super().__init__(
            f"One client may make {rate[0]} requests in {rate[1]} s. Try again in {seconds} s."
        )
        self.seconds = seconds


async def count_request(setting: str, address: str) -> None:
    """Count a request from this address against the `Rate` in a setting.

    Raises:
        RateLimitedError: the request is over the limit, and is not counted.
    """
    rate: Rate | None = getattr(settings, setting)
    if rate and (wait := await count(setting, client_at(address), rate)):
        raise RateLimitedError(rate, math.ceil(wait))


def client_at(address: str) -> str:
    """Return the client of an address: an IPv4 address, or the /64 network of an IPv6 address.

    A subscriber usually has a whole /64. The address is that of the connection, or the one reported
    by a proxy in `FORWARDED_ALLOW_IPS`. Clients without an address, as on a Unix socket, count as
    one client.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(parsed) >> 64 << 64)}/64"


async def count(name: str, client: str, rate: Rate) -> float:
    """Count one request and return 0, or reject it and return the seconds to wait.

    While Redis is down, each process counts separately.
    """
    global _redis_down_until
    key = f"rate_limit:{name}:{client}"
    if settings.REDIS_URL and monotonic() >= _redis_down_until:
        from redis import RedisError

        try:
            return await _count_in_redis(key, rate)
        except RedisError as error:
            _redis_down_until = monotonic() + REDIS_PAUSE_SECONDS
            logger.warning(
                "Redis is unreachable: this process counts requests separately for %g s. %s",
                REDIS_PAUSE_SECONDS,
                error,
            )
    return _count_here(key, rate)


# Times are in microseconds, which are integers in Python and exact in Redis. A client's burst is
# full again at `full`; until then the client is remembered.

_full: dict[str, int] = {}  # Most recent client last.
_redis_down_until = 0.0


def _count_here(key: str, rate: Rate) -> float:
    interval, burst = _interval_and_burst(rate)
    now = monotonic_ns() // 1000
    full = max(_full.pop(key, now), now)
    wait = max(full + interval - now - burst, 0)
    _full[key] = full if wait else full + interval
    oldest = next(iter(_full))
    while len(_full) > MOST_CLIENTS or _full[oldest] <= now:
        del _full[oldest]
        oldest = next(iter(_full))
    return wait / 1_000_000


COUNT_IN_REDIS = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now) + interval
local wait = full - now - burst
if wait > 0 then
    return wait
end
redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', math.ceil((full - now) / 1000))
return 0
"""


async def _count_in_redis(key: str, rate: Rate) -> float:
    async with redis_client() as client:
        wait = await client.eval(COUNT_IN_REDIS, 1, key, *map(str, _interval_and_burst(rate)))
    return int(wait) / 1_000_000


def _interval_and_burst(rate: Rate) -> tuple[int, int]:
    """Return the microseconds in which one request is refilled, and in which a burst is."""
    requests, seconds = rate
    interval = seconds * 1_000_000 // requests
    return interval, interval * requests

"""Per-client rate limits: a burst, refilled at a constant rate.

With `REDIS_URL` all processes share one count in Redis; otherwise each process counts separately.
`onloop.rates` has the algorithm.
"""

import ipaddress
import math
from collections.abc import Callable
from functools import partial, wraps
from time import monotonic_ns

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.conf import settings
from onloop.rates import Rate
from onloop.shared_rates import SharedLine, shared_or_here
from onloop.views import View, error_response

_MOST_CLIENTS = 50_000


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
            f"One client may make {rate.requests} requests in {rate.seconds} s."
            f" Try again in {seconds} s."
        )
        self.seconds = seconds


async def count_request(setting: str, address: str) -> None:
    """Count a request from this address against the `Rate` in a setting.

    Raises:
        RateLimitedError: the request is over the limit, and is not counted.
    """
    limit: tuple[int, int] | None = getattr(settings, setting)
    if limit and (wait := await count(setting, client_at(address), Rate(*limit))):
        raise RateLimitedError(Rate(*limit), math.ceil(wait))


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
    key = f"client_rate:{name}:{client}"
    wait = await shared_or_here(
        partial(_count_in_redis, key, rate), partial(_count_here, key, rate)
    )
    return wait / 1_000_000


_full: dict[str, int] = {}
"""When each client's burst is full again, most recent client last; until then it is remembered."""


async def _count_here(key: str, rate: Rate) -> int:
    now = monotonic_ns() // 1000
    full = max(_full.pop(key, now), now)
    full_after, wait = rate.book(full, now)
    _full[key] = full if wait else full_after
    oldest = next(iter(_full))
    while len(_full) > _MOST_CLIENTS or _full[oldest] <= now:
        del _full[oldest]
        oldest = next(iter(_full))
    return wait


async def _count_in_redis(key: str, rate: Rate) -> int:
    wait, _ = await SharedLine(key, rate).book(longest=0)
    return wait

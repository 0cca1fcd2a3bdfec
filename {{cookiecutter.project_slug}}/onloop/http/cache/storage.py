"""Where answers are stored: a cache of Django's framework, which may be down."""

import logging
from collections.abc import Awaitable, Callable
from math import ceil
from time import monotonic

from django.core.cache import DEFAULT_CACHE_ALIAS, BaseCache, caches

from onloop.http.exceptions import describe

_ALIAS = "upstreams"
_PAUSE_SECONDS = 5.0  # How long a cache that has failed is left alone.

logger = logging.getLogger(__name__)


class Storage:
    """Bytes in `CACHES["upstreams"]`, or in `CACHES["default"]` where there is none.

    A cache that is down holds nothing, takes nothing, and is logged once in `_PAUSE_SECONDS`.
    """

    def __init__(self) -> None:
        self._down_until = 0.0

    async def get(self, *keys: str) -> list[bytes | None]:
        """Return the values of some keys."""
        nothing: dict[str, bytes] = {}
        found = await self._use(lambda cache: cache.aget_many(keys), nothing)
        return [found.get(key) for key in keys]

    async def set(self, key: str, value: bytes, seconds: float) -> None:
        """Set the value of a key for at least so many seconds."""
        await self._use(lambda cache: cache.aset(key, value, ceil(seconds)), None)

    async def add(self, key: str, value: bytes, seconds: float) -> bool:
        """Set the value of a key unless it has one, and return whether it had none."""
        return await self._use(lambda cache: cache.aadd(key, value, ceil(seconds)), False)

    async def touch(self, key: str, seconds: float) -> None:
        """Keep a key that has a value for at least so many seconds."""
        await self._use(lambda cache: cache.atouch(key, ceil(seconds)), False)

    async def delete(self, key: str) -> None:
        """Delete a key."""
        await self._use(lambda cache: cache.adelete(key), False)

    async def _use[T](self, call: Callable[[BaseCache], Awaitable[T]], otherwise: T) -> T:
        if monotonic() < self._down_until:
            return otherwise
        try:
            return await call(caches[_ALIAS if _ALIAS in caches.settings else DEFAULT_CACHE_ALIAS])
        except Exception as error:  # Django's backends have no error in common.
            self._down_until = monotonic() + _PAUSE_SECONDS
            logger.warning(
                "The cache of upstream calls is down and not used for %g s: %s",
                _PAUSE_SECONDS,
                describe(error),
            )
            return otherwise

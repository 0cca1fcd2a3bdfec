"""A cache of Django's framework in Redis, called on the event loop.

::

    CACHES = {"upstreams": {"BACKEND": "onloop.http.cache.redis.RedisCache"}}
"""

# ruff: noqa: ASYNC109 - these timeouts are Django's

from collections.abc import Iterable
from typing import Any

from django.core.cache.backends import redis
from django.core.cache.backends.base import DEFAULT_TIMEOUT

from onloop.conf import settings
from onloop.redis import redis_client


class RedisCache(redis.RedisCache):
    """Keeps bytes in the Redis of `settings.REDIS_URL`, which `LOCATION` does not name.

    `aget`, `aget_many`, `aset`, `aadd`, `atouch` and `adelete` use the event loop's client, and no
    thread. The other methods are Django's.
    """

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        params = {**params, "OPTIONS": {"serializer": _Bytes(), **params.get("OPTIONS", {})}}
        super().__init__(settings.REDIS_URL, params)

    async def aget(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return the value of a key."""
        async with redis_client() as client:
            value = await client.get(self.make_key(key, version))
        return default if value is None else value

    async def aget_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        """Return the values of those of the keys that have one, in one round trip."""
        keys = list(keys)
        async with redis_client() as client:
            values = await client.mget([self.make_key(key, version) for key in keys])
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    async def aset(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        """Set the bytes of a key."""
        async with redis_client() as client:
            await client.set(self.make_key(key, version), value, px=self._milliseconds(timeout))

    async def aadd(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Set the bytes of a key unless it has a value, and return whether it had none."""
        async with redis_client() as client:
            name, px = self.make_key(key, version), self._milliseconds(timeout)
            return bool(await client.set(name, value, px=px, nx=True))

    async def atouch(
        self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Set when a key expires, and return whether it has a value."""
        name, px = self.make_key(key, version), self._milliseconds(timeout)
        async with redis_client() as client:
            return bool(await (client.persist(name) if px is None else client.pexpire(name, px)))

    async def adelete(self, key: Any, version: int | None = None) -> bool:
        """Delete a key, and return whether it had a value."""
        async with redis_client() as client:
            return bool(await client.delete(self.make_key(key, version)))

    def _milliseconds(self, timeout: Any) -> int | None:
        """Return in how many milliseconds a key expires; `None`: never. Redis refuses 0."""
        seconds = self.get_backend_timeout(timeout)
        return None if seconds is None else max(1, int(seconds * 1000))


class _Bytes:
    """Django's other methods read and write the same bytes."""

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, value: bytes) -> bytes:
        return value

"""A cache of Django's framework in the memory of one process, bounded in bytes.

::

    CACHES = {"upstreams": {"BACKEND": "onloop.http.cache.memory.MemoryCache"}}
"""

# ruff: noqa: ASYNC109 - these timeouts are Django's

from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from time import time
from typing import Any

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

_MAX_BYTES = 64 * 1024**2
_LARGEST_SHARE = 8  # One value takes at most an eighth of all bytes.
OVERHEAD = 400  # Bytes that an entry takes besides its key and its value.


class MemoryCache(BaseCache):
    """Keeps the most recently used values, as many as fit into `OPTIONS["MAX_BYTES"]`.

    Values are bytes; one that takes more than an eighth of that is not kept. The methods for the
    event loop call the others, since none of them waits. Caches with the same `LOCATION` are one.
    """

    def __init__(self, name: str, params: dict[str, Any]) -> None:
        super().__init__(params)
        self._entries = _entries_of(name, params.get("OPTIONS", {}).get("MAX_BYTES", _MAX_BYTES))

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """Return the value of a key."""
        value = self._entries.get(self.make_key(key, version))
        return default if value is None else value

    def set(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        """Set the bytes of a key."""
        expires = self.get_backend_timeout(timeout)
        self._entries.set(self.make_key(key, version), _checked(value), expires)

    def add(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """Set the bytes of a key unless it has a value, and return whether it had none."""
        expires = self.get_backend_timeout(timeout)
        return self._entries.add(self.make_key(key, version), _checked(value), expires)

    def touch(self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None) -> bool:
        """Set when a key expires, and return whether it has a value."""
        expires = self.get_backend_timeout(timeout)
        return self._entries.touch(self.make_key(key, version), expires)

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Delete a key, and return whether it had a value."""
        return self._entries.delete(self.make_key(key, version))

    def clear(self) -> None:
        """Delete all keys."""
        self._entries.clear()

    async def aget(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """As `get()`."""
        return self.get(key, default, version)

    async def aget_many(self, keys: Iterable[Any], version: int | None = None) -> dict[Any, Any]:
        """As `get_many()`."""
        return self.get_many(keys, version)

    async def aset(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> None:
        """As `set()`."""
        self.set(key, value, timeout, version)

    async def aadd(
        self, key: Any, value: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """As `add()`."""
        return self.add(key, value, timeout, version)

    async def atouch(
        self, key: Any, timeout: Any = DEFAULT_TIMEOUT, version: int | None = None
    ) -> bool:
        """As `touch()`."""
        return self.touch(key, timeout, version)

    async def adelete(self, key: Any, version: int | None = None) -> bool:
        """As `delete()`."""
        return self.delete(key, version)

    async def aclear(self) -> None:
        """As `clear()`."""
        self.clear()

    async def aclose(self, **kwargs: Any) -> None:
        """Do nothing, as `close()`."""


class _Entries:
    """Bytes by key, each with the Unix time at which it expires; least recently used first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._size = 0
        self._entries: OrderedDict[str, tuple[bytes, float | None]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> bytes | None:
        with self._lock:
            return self._get(key)

    def set(self, key: str, value: bytes, expires: float | None) -> None:
        with self._lock:
            self._set(key, value, expires)

    def add(self, key: str, value: bytes, expires: float | None) -> bool:
        with self._lock:
            if self._get(key) is not None:
                return False
            self._set(key, value, expires)
            return True

    def touch(self, key: str, expires: float | None) -> bool:
        with self._lock:
            value = self._get(key)
            if value is None:
                return False
            self._entries[key] = value, expires
            return True

    def delete(self, key: str) -> bool:
        with self._lock:
            found = self._get(key) is not None
            self._discard(key)
            return found

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()
            self._size = 0

    def _get(self, key: str) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, expires = entry
        if expires is not None and expires <= time():
            self._discard(key)
            return None
        self._entries.move_to_end(key)
        return value

    def _set(self, key: str, value: bytes, expires: float | None) -> None:
        self._discard(key)
        size = _size(key, value)
        if size > self._max_bytes // _LARGEST_SHARE:
            return
        self._entries[key] = value, expires
        self._size += size
        while self._size > self._max_bytes:
            self._discard(next(iter(self._entries)))

    def _discard(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry:
            self._size -= _size(key, entry[0])


# As in Django's LocMemCache: each thread and each request has its own MemoryCache.
_all_entries: dict[tuple[str, int], _Entries] = {}


def _entries_of(name: str, max_bytes: int) -> _Entries:
    return _all_entries.setdefault((name, max_bytes), _Entries(max_bytes))


def forget_everything() -> None:
    """Clear all caches of this kind, for tests."""
    for entries in _all_entries.values():
        entries.clear()


def _size(key: str, value: bytes) -> int:
    return len(key) + len(value) + OVERHEAD


def _checked(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(f"MemoryCache keeps bytes, not {type(value).__name__}.")
    return value

"""The stored answers of one upstream: where each is, and what replaces or invalidates it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from onloop.http._httpx import URL, Request
from onloop.http.cache.answers import (
    Index,
    StoredResponse,
    decode_index,
    decode_response,
    encode,
)
from onloop.http.cache.declaration import Cache
from onloop.http.cache.keys import Keys
from onloop.http.cache.storage import Storage
from onloop.http.cache.storing import (
    ERRORS,
    MOST_SELECTING,
    Received,
    seconds_to_keep,
    to_store,
    vary,
)
from onloop.http.exceptions import PASSING_STATUSES

_INDEX_SECONDS = 3_600.0  # How long an index is kept at least; no call takes that long.


@dataclass(slots=True)
class Place:
    """Where the answer to a request is stored, and what is stored there."""

    key: str
    url_key: str
    caller: bytes
    index: Index | None
    stored: StoredResponse | None


class Shelf:
    """The stored answers of one upstream, each found by URL, caller and selecting headers."""

    def __init__(self, name: str, cache: Cache) -> None:
        self._cache = cache
        self._keys = Keys(name)
        self._storage = Storage()
        # The answers of an upstream usually depend on the same headers. With this guess, a hit is
        # one round trip; a wrong one costs another.
        self._vary: tuple[str, ...] = ()

    async def find(self, request: Request) -> Place:
        """Return where the answer to a request is stored, and what is there for its caller."""
        url_key = self._keys.of_url(request.url)
        caller = self._keys.of_caller(request)
        guess = self._vary
        key = self._key(request, url_key, caller, guess)
        index_data, data = await self._storage.get(url_key, key)
        index = decode_index(index_data)
        if index and index.vary != guess:
            self._vary = index.vary
            key = self._key(request, url_key, caller, index.vary)
            (data,) = await self._storage.get(key)
        stored = decode_response(data) if index else None
        if stored and index and stored.version != index.version:
            stored = None  # It is invalid (section 4.4).
        if stored and self._cache.shared and caller and not stored.for_everybody:
            stored = None  # Other than in section 3.5, it is not for callers with credentials.
        return Place(key, url_key, caller, index, stored)

    async def keep(self, request: Request, place: Place, answer: Received) -> None:
        """Store an answer to GET if that is allowed and of use; it replaces an older one."""
        older = place.stored
        if answer.status in ERRORS and older and older.status not in ERRORS:
            return  # The older answer may still help.
        index = _index_with(place.index, vary(answer.headers))
        stored = to_store(
            answer, self._cache, has_credentials=bool(place.caller), version=index.version
        )
        if stored is None:
            if older and answer.status not in PASSING_STATUSES:
                await self.remove(place)
            return
        seconds = seconds_to_keep(stored, answer.received_at)
        if not await self._keep_index(place, index, max(2 * seconds, _INDEX_SECONDS)):
            return
        key = self._key(request, place.url_key, place.caller, index.vary)
        await self._storage.set(key, encode(stored), seconds)

    async def remove(self, place: Place) -> None:
        """Remove the answer that is stored there."""
        await self._storage.delete(place.key)

    async def invalidate(self, urls: Iterable[URL]) -> None:
        """Make all stored answers of some URLs invalid, and those that are on their way."""
        for url in urls:
            index = Index(version=_new_version(), vary=())
            await self._storage.set(self._keys.of_url(url), encode(index), _INDEX_SECONDS)

    async def lock(self, key: str, seconds: float) -> bool:
        """Lock a place by its key, for all processes; return whether it was not locked."""
        return await self._storage.add(f"{key}:lock", b"1", seconds)

    async def keep_locked(self, key: str, seconds: float) -> None:
        """Keep a place locked for so long from now on."""
        await self._storage.set(f"{key}:lock", b"1", seconds)

    async def unlock(self, key: str) -> None:
        """Unlock a place."""
        await self._storage.delete(f"{key}:lock")

    async def _keep_index(self, place: Place, index: Index, seconds: float) -> bool:
        """Store the index of a URL for so long; return whether no other one was stored meanwhile.

        Then the URL was invalidated during the call, or another call was faster.
        """
        if place.index is None:
            return await self._storage.add(place.url_key, encode(index), seconds)
        if index is place.index:
            await self._storage.touch(place.url_key, seconds)
            return True  # If it was invalidated, its version is another now.
        (data,) = await self._storage.get(place.url_key)
        if decode_index(data) != place.index:
            return False
        await self._storage.set(place.url_key, encode(index), seconds)
        return True

    def _key(self, request: Request, url_key: str, caller: bytes, names: tuple[str, ...]) -> str:
        cache_of = b"" if self._cache.shared else caller
        return self._keys.of_answer(url_key, cache_of, names, request.headers)


def _index_with(index: Index | None, names: frozenset[str]) -> Index:
    """Return an index whose answers depend at least on these request headers."""
    known = frozenset(index.vary if index else ())
    if index and names <= known:
        return index
    if len(names | known) <= MOST_SELECTING:
        names |= known
    return Index(version=_new_version(), vary=tuple(sorted(names)))


def _new_version() -> bytes:
    return os.urandom(8)

"""Where answers are stored, and a cache that is down."""

import asyncio
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from pytest_django import Settings
from redis.asyncio import Redis

from onloop.http.cache import storage
from onloop.redis import shared_redis
from tests.http.calls import closed_port
from tests.services.proxies import proxy_of

from .conftest import Caching, Calls, Origin

REDIS = {"BACKEND": "onloop.http.cache.redis.RedisCache"}
MEMORY = {"BACKEND": "onloop.http.cache.memory.MemoryCache"}


class BrokenCache(LocMemCache):
    """Fails each time, and counts."""

    uses = 0

    def get(self, *args: Any, **kwargs: Any) -> Any:
        type(self).uses += 1
        raise OSError("redis://ada:secret@127.0.0.1 is broken")

    set = add = delete = get


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that pauses are measured by."""
    seconds = [100.0]
    monkeypatch.setattr(storage, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(BrokenCache, "uses", 0)
    return seconds


@pytest.mark.parametrize("alias", ["upstreams", "default"])
async def test_answers_are_in_the_cache_of_upstreams_or_else_in_the_default_one(
    calls: Calls, origin: Origin, settings: Settings, alias: str
) -> None:
    settings.CACHES = {
        "default": {**MEMORY, "LOCATION": "default"},
        alias: {**MEMORY, "LOCATION": alias},
    }
    origin.reply(cache_control="max-age=60")
    await calls.get()
    for name in settings.CACHES:
        settings.CACHES = {"default": {**MEMORY, "LOCATION": name}}
        assert await calls.outcome(cache_control="only-if-cached") == (
            "hit" if name == alias else "miss"
        )


async def test_any_cache_of_django_will_do(
    calls: Calls, origin: Origin, settings: Settings
) -> None:
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    origin.reply("one", cache_control="max-age=60")
    await calls.get()
    assert (await calls.get()).text == "one"
    assert len(origin.requests) == 1


async def test_cache_that_is_down_is_a_miss_and_left_alone_for_a_while(
    calls: Calls,
    origin: Origin,
    settings: Settings,
    seconds: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings.CACHES = {"default": {"BACKEND": f"{__name__}.BrokenCache"}}
    origin.reply(cache_control="max-age=60")
    for _ in range(3):
        assert await calls.outcome() == "miss"
        await calls.send("POST")
    assert BrokenCache.uses == 1
    assert caplog.messages == [
        "The cache of upstream calls is down and not used for 5 s: redis://***@127.0.0.1 is broken"
    ]
    seconds[0] += 5
    await calls.get()
    assert (BrokenCache.uses, len(caplog.messages)) == (2, 2)

    settings.CACHES = {"default": MEMORY}
    seconds[0] += 5
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "hit"]


async def test_cancelled_call_does_not_count_as_a_cache_that_is_down(
    calls: Calls, origin: Origin, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = asyncio.Event()

    async def wait(*args: Any) -> Any:
        waiting.set()
        await asyncio.Event().wait()

    origin.reply(cache_control="max-age=60")
    await calls.get()
    with monkeypatch.context() as patch:
        patch.setattr("onloop.http.cache.memory.MemoryCache.aget_many", wait)
        call = asyncio.create_task(calls.get())
        await waiting.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    assert await calls.outcome() == "hit"


@pytest.mark.parametrize("garbage", [b"", b"\x80", b"garbage", b"\xc1", b"\x92\xc4\x01a\x90"])
async def test_entry_that_cannot_be_read_is_a_miss(
    calls: Calls, origin: Origin, monkeypatch: pytest.MonkeyPatch, garbage: bytes
) -> None:
    keys: list[str] = []
    cache = caches["upstreams"]
    write = cache.set

    def noted(key: str, *rest: Any) -> None:
        keys.append(key)
        write(key, *rest)

    monkeypatch.setattr(cache, "set", noted)
    origin.reply("one", cache_control="max-age=60")
    await calls.get()
    write(keys[0], garbage)
    assert await calls.outcome() == "miss"
    assert await calls.outcome() == "hit"


async def test_index_that_cannot_be_read_is_a_miss(
    calls: Calls, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys: list[str] = []
    cache = caches["upstreams"]
    add = cache.add

    def noted(key: str, *rest: Any) -> bool:
        keys.append(key)
        return add(key, *rest)

    monkeypatch.setattr(cache, "add", noted)
    origin.reply("one", cache_control="max-age=60")
    await calls.get()
    cache.set(keys[0], b"garbage")
    assert await calls.outcome() == "miss"


async def test_redis_is_called_on_the_event_loop(
    caching: Caching, origin: Origin, settings: Settings, redis_url: str, hops: list[str]
) -> None:
    settings.REDIS_URL = redis_url
    settings.CACHES = {"default": REDIS}
    origin.reply("one", cache_control="max-age=60", vary="Accept")
    async with shared_redis():
        one, other = caching(), caching()
        await one.get()
        assert [await other.outcome(), await other.outcome()] == ["hit", "hit"]
        await one.send("DELETE")
        assert await other.outcome() == "miss"
        await one.get(cache_control="no-cache")
        origin.reply("two", cache_control="no-store")
        await one.get(cache_control="no-cache")
        assert (await one.get()).text == "two"
    assert not hops


async def test_redis_cache_is_one_of_djangos_framework(settings: Settings, redis_url: str) -> None:
    settings.REDIS_URL = redis_url
    settings.CACHES = {"default": REDIS}
    cache = caches["default"]
    cache.set("a", b"1", 60)
    assert await cache.aget("a") == b"1"
    assert await cache.aget("b", "default") == "default"
    await cache.aset("b", b"2", None)
    assert cache.get("b") == b"2"
    assert not await cache.aadd("b", b"3", 60)
    assert await cache.aget_many(iter(["a", "b", "c"])) == {"a": b"1", "b": b"2"}
    assert [await cache.atouch("b", 60), await cache.atouch("b", None)] == [True, True]
    assert [await cache.adelete("b"), await cache.adelete("b")] == [True, False]
    assert not await cache.atouch("b", 60)
    cache.delete("a")
    await cache.aset("c", b"1", 0)
    while await cache.aget("c"):  # Redis has no shorter time than a millisecond.
        pass


async def test_answers_in_redis_expire(
    calls: Calls, origin: Origin, settings: Settings, redis_url: str
) -> None:
    settings.REDIS_URL = redis_url
    settings.CACHES = {"default": REDIS}
    origin.reply(cache_control="max-age=60, stale-if-error=40", age="30")
    async with Redis.from_url(redis_url) as client:

        async def seconds() -> list[int]:
            return sorted([await client.ttl(key) async for key in client.scan_iter()])

        for _ in range(2):
            await calls.get(cache_control="no-cache")
            answer, index = await seconds()
            assert 10 < answer <= 70 < index <= 3_600
            async for key in client.scan_iter():
                await client.expire(key, 10)


@pytest.mark.parametrize("is_silent", [True, False])
async def test_redis_that_is_down_does_not_fail_the_call(
    calls: Calls,
    origin: Origin,
    settings: Settings,
    redis_url: str,
    is_silent: bool,
    monkeypatch: pytest.MonkeyPatch,
    seconds: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("onloop.redis._TIMEOUT_SECONDS", 0.1)
    origin.reply(cache_control="max-age=60")
    settings.CACHES = {"default": REDIS}
    async with proxy_of(redis_url, 6379) as proxy:
        settings.REDIS_URL = proxy.url if is_silent else f"redis://127.0.0.1:{closed_port()}"
        async with shared_redis():
            if is_silent:
                await calls.get()
                proxy.flowing.clear()
            assert [await calls.outcome() for _ in range(3)] == ["miss"] * 3
            assert caplog.text.count("The cache of upstream calls is down") == 1
            if is_silent:
                proxy.flowing.set()
                seconds[0] += 5
                assert await calls.outcome() == "hit"

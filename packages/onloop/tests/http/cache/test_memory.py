"""The cache in the memory of one process."""

import asyncio
import threading
import tracemalloc
from contextvars import Context

import pytest
from django.core.cache import caches

from onloop.http.cache import memory
from onloop.http.cache.memory import MemoryCache


def cache(max_bytes: int = 100_000, name: str = "test") -> MemoryCache:
    return MemoryCache(name, {"OPTIONS": {"MAX_BYTES": max_bytes}})


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The Unix time."""
    now = [1_000_000_000.0]
    monkeypatch.setattr(memory, "time", lambda: now[0])
    monkeypatch.setattr("django.core.cache.backends.base.time.time", lambda: now[0])
    return now


def test_values_are_kept_until_they_expire(now: list[float]) -> None:
    kept = cache()
    kept.set("a", b"1", 10)
    kept.set("b", b"2", None)
    kept.set("c", b"3")
    kept.set("d", b"4", 0)
    now[0] += 9
    assert kept.get_many(["a", "b", "c", "d"]) == {"a": b"1", "b": b"2", "c": b"3"}
    now[0] += 1
    assert kept.get("a", "default") == "default"
    now[0] += 100_000
    assert kept.get_many(["a", "b", "c", "d"]) == {"b": b"2"}


def test_value_is_added_once(now: list[float]) -> None:
    kept = cache()
    assert [kept.add("a", b"1", 10), kept.add("a", b"2", 10)] == [True, False]
    now[0] += 10
    assert kept.add("a", b"3", 10)
    assert kept.get("a") == b"3"


def test_value_may_live_longer(now: list[float]) -> None:
    kept = cache()
    kept.set("a", b"1", 10)
    assert kept.touch("a", 100)
    now[0] += 99
    assert kept.get("a") == b"1"
    now[0] += 1
    assert not kept.touch("a", 100)


def test_values_are_deleted() -> None:
    kept = cache()
    kept.set("a", b"1")
    kept.set("b", b"1")
    assert [kept.delete("a"), kept.delete("a"), "a" in kept, "b" in kept] == [
        True,
        False,
        False,
        True,
    ]
    kept.clear()
    assert "b" not in kept


def test_least_recently_used_values_make_room() -> None:
    kept = cache()
    value = b"x" * 9_000
    for number in range(10):
        kept.set(str(number), value)
    kept.get("0")
    kept.set("10", value)
    kept.set("11", value)
    there = [number for number in range(12) if str(number) in kept]
    assert there == [0, 3, 4, 5, 6, 7, 8, 9, 10, 11]


def test_deleted_and_replaced_values_take_no_room() -> None:
    kept = cache()
    for number in range(100):
        kept.set("a", b"x" * 10_000)
        kept.set(f"b{number}", b"x" * 10_000)
        kept.delete(f"b{number}")
    kept.set("c", b"x")
    assert {"a", "c"} == {key for key in ("a", "b99", "c") if key in kept}


def test_large_value_is_not_kept_and_neither_is_its_older_one() -> None:
    kept = cache()
    kept.set("a", b"1")
    kept.set("b", b"2")
    kept.set("a", b"x" * 12_500)
    assert ("a" in kept, "b" in kept) == (False, True)
    assert kept.add("a", b"x" * 12_500)
    assert "a" not in kept


@pytest.mark.parametrize("size", [0, 100, 10_000])
def test_memory_is_bounded(size: int) -> None:
    kept = cache(1_000_000)
    tracemalloc.start()
    try:
        for number in range(2_000_000 // (size + memory.OVERHEAD)):
            kept.set(f"upstream:name:{number:032x}", bytes(size))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 500_000 < used < 1_100_000


def test_caches_of_one_location_are_one_in_all_threads_and_requests() -> None:
    cache(name="one").set("a", b"1")
    assert "a" in cache(name="one")
    assert "a" not in cache(name="other")
    assert "a" not in cache(50_000, name="one")

    def use() -> None:
        caches["upstreams"].set("b", b"2")

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert Context().run(lambda: caches["upstreams"].get("b")) == b"2"


def test_only_bytes_are_kept() -> None:
    with pytest.raises(TypeError, match=r"^MemoryCache keeps bytes, not str\.$"):
        cache().set("a", "1")
    with pytest.raises(TypeError):
        cache().add("a", None)


def test_bound_has_a_default() -> None:
    kept = MemoryCache("test", {})
    kept.set("a", bytes(8_000_000))
    kept.set("b", bytes(9_000_000))
    assert ("a" in kept, "b" in kept) == (True, False)


async def test_methods_for_the_event_loop_use_no_thread(hops: list[str]) -> None:
    kept = cache()
    await kept.aset("a", b"1", 60)
    assert await kept.aadd("b", b"2", 60)
    assert await kept.atouch("b", 60)
    assert await kept.aget("a") == b"1"
    assert await kept.aget_many(["a", "b", "c"]) == {"a": b"1", "b": b"2"}
    assert await kept.adelete("b")
    await kept.aclear()
    assert not await kept.ahas_key("a")
    await kept.aclose()
    assert not hops


def test_threads_do_not_disturb_each_other() -> None:
    kept = cache(20_000)

    def use(thread: int) -> None:
        for number in range(3_000):
            key = str((number * 7 + thread) % 50)
            kept.set(key, b"x" * (number % 2_000))
            kept.get(str(number % 50))
            kept.delete(str((number + 25) % 50))

    async def use_all() -> None:
        await asyncio.gather(*(asyncio.to_thread(use, thread) for thread in range(4)))

    asyncio.run(use_all())
    kept.clear()
    for number in range(10):
        kept.set(str(number), b"x" * 1_500)
    assert all(str(number) in kept for number in range(10))

"""What a request may say about its answer: RFC 9111, section 5.2.1."""

import pytest

from .conftest import Calls, Clock, Origin


@pytest.fixture
async def aged(calls: Calls, origin: Origin, clock: Clock) -> Calls:
    """Calls with an answer that is 10 seconds old and fresh for 10 more, and has a tag."""
    origin.reply("one", cache_control="max-age=20", etag='"a"', x_number="1")
    await calls.get()
    clock.now += 10
    origin.reply(status=304, etag='"a"', cache_control="max-age=20")
    return calls


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("max-age=10", "hit"),
        ("max-age=9", "revalidated"),
        ("max-age=0", "revalidated"),
        ("max-age=x", "revalidated"),
        ("max-age=9, max-stale=60", "revalidated"),
        ("min-fresh=10", "hit"),
        ("min-fresh=11", "revalidated"),
        ("min-fresh=11, max-stale", "revalidated"),
        ("no-cache", "revalidated"),
        ("No-Cache", "revalidated"),
        ("max-stale=5", "hit"),
        ("no-transform", "hit"),
        ("only-if-cached", "hit"),
        ("unknown=1", "hit"),
        ("", "hit"),
    ],
)
async def test_wishes_about_a_fresh_answer(aged: Calls, value: str, outcome: str) -> None:
    assert await aged.outcome(cache_control=value) == outcome


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("max-stale", "stale"),
        ("max-stale=5", "stale"),
        ("max-stale=4", "revalidated"),
        ("max-stale=x", "revalidated"),
        ("max-stale, max-age=25", "stale"),
        ("max-stale, max-age=24", "revalidated"),
        ("max-stale, no-cache", "revalidated"),
        ("max-stale, only-if-cached", "stale"),
        ("max-age=60", "revalidated"),
    ],
)
async def test_wishes_about_a_stale_answer(
    aged: Calls, clock: Clock, value: str, outcome: str
) -> None:
    clock.now += 15
    assert await aged.outcome(cache_control=value) == outcome


async def test_no_store_passes_through(aged: Calls, origin: Origin) -> None:
    origin.reply("two", cache_control="max-age=20")
    response = await aged.get(cache_control="no-store")
    assert (response.text, "cache" in response.extensions) == ("two", False)
    assert (await aged.get()).text == "one"


async def test_only_if_cached_never_calls_the_upstream(
    aged: Calls, origin: Origin, clock: Clock
) -> None:
    clock.now += 10
    for path in ("/", "/unknown"):
        response = await aged.get(path, cache_control="only-if-cached")
        assert (response.status_code, response.extensions["cache"]) == (504, "miss")
        assert response.content == b""
    assert len(origin.requests) == 1


async def test_wishes_are_passed_on(aged: Calls, origin: Origin) -> None:
    await aged.get(cache_control="no-cache, x=1")
    assert origin.last.headers["cache-control"] == "no-cache, x=1"


async def test_pragma_is_no_wish(aged: Calls) -> None:
    assert await aged.outcome(pragma="no-cache") == "hit"

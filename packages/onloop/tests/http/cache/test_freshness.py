"""For how long an answer is fresh, and how old it is: RFC 9111, sections 4.2, 5.1 and 5.3."""

import httpx
import pytest

from onloop.http.cache import Cache

from .conftest import Caching, Calls, Clock, Origin

FUTURE, PAST = 60, -60


async def fresh_for(calls: Calls, clock: Clock) -> int:
    """The seconds for which the answer is fresh that is stored when the first call is made."""
    await calls.get()
    for seconds in range(200):
        if await calls.outcome() != "hit":
            return seconds
        clock.now += 1
    return 200


@pytest.mark.parametrize(
    "value", ["max-age=9", "MaX-aGe=9", "max-age=009", 'max-age="9"', "x=1,max-age=9"]
)
async def test_max_age_is_the_lifetime(
    calls: Calls, origin: Origin, clock: Clock, value: str
) -> None:
    origin.reply(cache_control=value)
    assert await fresh_for(calls, clock) == 9


@pytest.mark.parametrize("value", ["2147483648", "99999999999", "9" * 1000])
async def test_overflow_is_forever(calls: Calls, origin: Origin, clock: Clock, value: str) -> None:
    origin.reply(cache_control=f"max-age={value}")
    await calls.get()
    clock.now += 2**31 - 1
    assert await calls.outcome() == "hit"
    clock.now += 1
    assert await calls.outcome() == "miss"


@pytest.mark.parametrize("value", ["0", "-1", "x", "9x", "9.0", "", "'9'", "²"])
async def test_invalid_freshness_is_stale(caching: Caching, origin: Origin, value: str) -> None:
    calls = caching(Cache(fresh=60))
    headers = [(b"Cache-Control", f"max-age={value}".encode("latin-1"))]
    origin.answer = lambda _: httpx.Response(200, headers=headers)
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


async def test_first_of_two_values_counts(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply("", 200, ("cache-control", "max-age=5"), ("cache-control", "max-age=9"))
    assert await fresh_for(calls, clock) == 5


@pytest.mark.parametrize(("is_shared", "lifetime"), [(False, 5), (True, 9)])
async def test_s_maxage_is_for_shared_caches(
    caching: Caching, origin: Origin, clock: Clock, is_shared: bool, lifetime: int
) -> None:
    calls = caching(Cache(shared=is_shared))
    origin.reply(cache_control="max-age=5, s-maxage=9", expires=clock.header(PAST))
    assert await fresh_for(calls, clock) == lifetime


async def test_s_maxage_alone_says_nothing_to_a_private_cache(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    origin.reply(cache_control="s-maxage=9")
    assert await fresh_for(caching(Cache(fresh=3)), clock) == 3


async def test_expires_is_counted_from_date(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply(expires=clock.header(1009), date=clock.header(1000))
    assert await fresh_for(calls, clock) == 9


async def test_expires_without_a_valid_date_is_counted_from_now(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply(expires=clock.header(9), date="yesterday")
    assert await fresh_for(calls, clock) == 9
    clock.now += 100
    origin.reply(expires=clock.header(9))
    assert await fresh_for(calls, clock) == 9


async def test_max_age_outweighs_expires(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply(cache_control="max-age=5", expires=clock.header(9))
    assert await fresh_for(calls, clock) == 5


@pytest.mark.parametrize(
    "value",
    ["0", "-1", "", "soon", "Sun, 09 Sep 2099 01:46:49 UTC", "Sun, 09 Sep 2001 01:46:40 GMT"],
)
async def test_invalid_or_past_expires_is_stale(
    caching: Caching, origin: Origin, value: str
) -> None:
    origin.reply(expires=value)
    calls = caching(Cache(fresh=60))
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


@pytest.mark.parametrize(
    "value",
    [
        "Sun, 09 Sep 2001 01:46:49 GMT",
        "sun, 09 sep 2001 01:46:49 gmt",
        "Sunday, 09-Sep-01 01:46:49 GMT",
        "Sun Sep  9 01:46:49 2001",
    ],
)
async def test_dates_have_three_formats_in_any_case(
    calls: Calls, origin: Origin, clock: Clock, value: str
) -> None:
    origin.reply(expires=value)
    assert await fresh_for(calls, clock) == 9


async def test_declared_freshness_is_for_answers_that_say_nothing(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(Cache(fresh=3))
    origin.reply(cache_control="must-revalidate", last_modified=clock.header(-100_000))
    assert await fresh_for(calls, clock) == 3
    clock.now += 100
    origin.reply(cache_control="max-age=5")
    assert await fresh_for(calls, clock) == 5


async def test_declared_freshness_is_for_public_answers_of_any_status(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(Cache(fresh=3))
    origin.reply(status=302, cache_control="private", etag='"a"')
    assert await fresh_for(calls, clock) == 0
    origin.reply(status=302, cache_control="public")
    assert await fresh_for(calls, clock) == 3


async def test_without_a_declaration_nothing_is_guessed(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply(last_modified=clock.header(-100_000))
    assert await fresh_for(calls, clock) == 0


@pytest.mark.parametrize(
    ("value", "lifetime"),
    [("4", 5), ("4, 0", 5), ("0, 4", 9), ("x", 9), ("-4", 9), ("4.5", 9), ("2147483648", 0)],
)
async def test_age_of_upstream_caches_counts(
    calls: Calls, origin: Origin, clock: Clock, value: str, lifetime: int
) -> None:
    origin.reply(cache_control="max-age=9", age=value)
    assert await fresh_for(calls, clock) == lifetime


async def test_date_in_the_past_counts(calls: Calls, origin: Origin, clock: Clock) -> None:
    clock.now += 0.9
    origin.reply(cache_control="max-age=9", date=clock.header(-4))
    assert await fresh_for(calls, clock) == 5


async def test_date_in_the_future_is_no_age(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply(cache_control="max-age=9", date=clock.header(60))
    assert await fresh_for(calls, clock) == 9


async def test_time_on_the_way_counts(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply(cache_control="max-age=9", age="2")
    answer = origin.answer

    def slow_answer(request: httpx.Request) -> httpx.Response:
        clock.now += 3
        return answer(request)

    origin.answer = slow_answer
    assert await fresh_for(calls, clock) == 4


async def test_age_is_sent_with_stored_answers(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply(cache_control="max-age=60", age="5", date=(date := clock.header()))
    assert (await calls.get()).headers["age"] == "5"
    clock.now += 7.9
    response = await calls.get()
    assert response.headers.get_list("age") == ["12"]
    assert response.headers["date"] == date


async def test_clock_that_goes_back_makes_no_negative_age(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply(cache_control="max-age=60")
    await calls.get()
    clock.now -= 1000
    assert (await calls.get()).headers["age"] == "0"


@pytest.mark.parametrize(("header", "value"), [("pragma", "no-cache"), ("warning", '110 - "x"')])
async def test_obsolete_headers_mean_nothing(
    calls: Calls, origin: Origin, header: str, value: str
) -> None:
    origin.reply("", 200, (header, value), ("cache-control", "max-age=60"))
    await calls.get(**{header: value})
    response = await calls.get(**{header: value})
    assert (response.extensions["cache"], response.headers[header]) == ("hit", value)


async def test_immutable_changes_nothing(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply(cache_control="max-age=5, immutable")
    assert await fresh_for(calls, clock) == 5

"""Rates, and the turns of a line: in this process and in Redis, which must be the same."""

import pytest
import redis
from pytest_django import Settings

from onloop.rates import Line, LocalLine, Rate
from onloop.redis import shared_redis
from onloop.shared_rates import SharedLine

HALF_HOURLY = Rate(2, 3600)
MOST = 10**15


def seconds(microseconds: int) -> float:
    return microseconds / 1_000_000


def about(expected: float) -> object:
    """Up to some seconds less, since time passes during a test."""
    return pytest.approx(expected - 30, abs=30)


@pytest.mark.parametrize(
    ("text", "rate"), [("10/second", (10, 1)), ("100/minute", (100, 60)), ("1/hour", (1, 3600))]
)
def test_rate_is_parsed(text: str, rate: tuple[int, int]) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "10", "0/second", "1/day", "10 / second", "1000000/hour"])
def test_bad_rate_is_refused_in_one_sentence(text: str) -> None:
    accepted = "is not a rate such as 10/second, 100/minute or 1000/hour."
    with pytest.raises(ValueError, match=accepted) as raised:
        Rate.parse(text)
    assert str(raised.value) == f"{text!r} {accepted}"


@pytest.fixture(params=["local", "shared"])
def line(request: pytest.FixtureRequest, settings: Settings) -> Line:
    """An unused line with a burst of two, and then one turn each half an hour."""
    if request.param == "local":
        return LocalLine(HALF_HOURLY)
    settings.REDIS_URL = request.getfixturevalue("redis_url")
    return SharedLine("line", HALF_HOURLY)


async def book(line: Line, times: int) -> list[int]:
    """Book turns, and return them."""
    return [(await line.book(MOST))[1] for _ in range(times)]


async def waits(line: Line, turns: list[int]) -> list[float]:
    return [seconds(await line.wait(turn)) for turn in turns]


async def test_burst_goes_immediately_and_then_one_each_interval(line: Line) -> None:
    booked = [await line.book(MOST) for _ in range(4)]
    assert [seconds(wait) for wait, _ in booked] == [0, 0, about(1800), about(3600)]
    turns = [turn for _, turn in booked]
    assert await waits(line, turns) == [0, 0, about(1800), about(3600)]
    assert seconds(turns[3] - turns[2]) == 1800


async def test_turn_that_is_too_late_is_not_booked(line: Line) -> None:
    await book(line, 2)
    for _ in range(3):
        wait, _ = await line.book(1_000_000)
        assert seconds(wait) == about(1800)
    wait, _ = await line.book(1_800_000_000)
    assert seconds(wait) == about(1800)
    wait, _ = await line.book(1_800_000_000)
    assert seconds(wait) == about(3600)


async def test_pause_leaves_no_burst(line: Line) -> None:
    await line.pause(600_000_000)
    booked = [await line.book(MOST) for _ in range(3)]
    assert [seconds(wait) for wait, _ in booked] == [about(600), about(2400), about(4200)]


async def test_pause_postpones_all_turns_and_keeps_their_intervals(line: Line) -> None:
    turns = await book(line, 4)
    await line.pause(600_000_000)
    assert await waits(line, turns) == [about(600), about(600), about(2400), about(4200)]
    (last,) = await book(line, 1)
    assert await waits(line, [last]) == [about(6000)]


async def test_shorter_pause_within_another_changes_nothing(line: Line) -> None:
    turns = await book(line, 3)
    for minutes in (10, 5, 0):
        await line.pause(minutes * 60_000_000)
    assert await waits(line, turns) == [about(600), about(600), about(2400)]


async def test_longer_pause_within_another_adds_the_difference(line: Line) -> None:
    turns = await book(line, 3)
    for minutes in (10, 15):
        await line.pause(minutes * 60_000_000)
    assert await waits(line, turns) == [about(900), about(900), about(2700)]


async def test_pause_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_000_000
    monkeypatch.setattr("onloop.rates.monotonic_ns", lambda: now * 1000)
    line = LocalLine(Rate(1, 1))
    first, second = await book(line, 2)
    await line.pause(5_000_000)
    now += 3_000_000
    assert [await line.wait(turn) for turn in (first, second)] == [2_000_000, 3_000_000]
    now += 2_500_000
    assert [await line.wait(turn) for turn in (first, second)] == [0, 500_000]
    now += 500_000
    assert await line.wait(second) == 0
    assert await line.book(MOST) == (1_000_000, second + 1_000_000)
    now += 60_000_000
    assert [(await line.book(MOST))[0] for _ in range(2)] == [0, 1_000_000]


async def test_key_lives_as_long_as_it_matters(redis_url: str, settings: Settings) -> None:
    settings.REDIS_URL = redis_url
    with redis.Redis.from_url(redis_url) as server:
        async with shared_redis():
            line = SharedLine("line", HALF_HOURLY)
            await line.book(MOST)
            assert server.ttl("line") == about(1800)
            await line.pause(600_000_000)
            assert server.ttl("line") == about(2400)
            await book(line, 4)
            assert server.ttl("line") == about(9600)


async def test_processes_share_a_line_by_its_key(redis_url: str, settings: Settings) -> None:
    settings.REDIS_URL = redis_url
    one, same, other = (SharedLine(key, HALF_HOURLY) for key in ("a", "a", "b"))
    await book(one, 2)
    assert seconds((await same.book(MOST))[0]) == about(1800)
    assert (await other.book(MOST))[0] == 0

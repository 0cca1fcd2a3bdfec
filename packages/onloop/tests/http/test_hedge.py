import asyncio
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest

from onloop.http.hedge import Hedge, HedgeTransport


async def answer() -> bytes:
    return b"ok"


async def forever() -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


@pytest.fixture
def durations(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the next calls take by the clock; the last one stands for all after it."""
    durations = [0.0]

    def readings() -> Iterator[float]:
        now = 0.0
        while True:
            yield now
            now += durations.pop(0) if len(durations) > 1 else durations[0]
            yield now

    monkeypatch.setattr("onloop.http.hedge.perf_counter", readings().__next__)
    return durations


@pytest.fixture
async def hedge(durations: list[float]) -> Hedge:
    """Hedges at once: all answers so far came in no time. There is a budget for two copies."""
    hedge = Hedge()
    for _ in range(50):
        await hedge.call(answer)
    assert durations == [0.0]
    assert hedge.delay == 0
    return hedge


class Copies:
    """A call of which each copy does what the test says."""

    def __init__(self, *behaviours: Callable[[], Awaitable[bytes]]) -> None:
        self.behaviours = behaviours
        self.begun = 0
        self.cancelled: list[int] = []
        self.all_begun = asyncio.Event()

    async def __call__(self) -> bytes:
        number = self.begun
        self.begun += 1
        if self.begun == len(self.behaviours):
            self.all_begun.set()
        try:
            return await self.behaviours[number]()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise


def failing(error: Exception) -> Callable[[], Awaitable[bytes]]:
    """Fail after the other copy has begun."""

    async def fail() -> bytes:
        for _ in range(10):
            await asyncio.sleep(0)
        raise error

    return fail


async def test_percentile_is_reckoned_from_the_answers(durations: list[float]) -> None:
    durations[:] = [float(number) for number in range(1, 101)]
    hedge = Hedge()
    for _ in range(49):
        await hedge.call(answer)
    before = hedge.delay
    await hedge.call(answer)
    assert (before, hedge.delay) == (None, 48)
    for _ in range(50):
        await hedge.call(answer)
    assert hedge.delay == 95


async def test_percentile_forgets_old_answers(durations: list[float]) -> None:
    durations[:] = [9.0] * 500 + [1.0]
    hedge = Hedge()
    for _ in range(500):
        await hedge.call(answer)
    assert hedge.delay == 9
    for _ in range(500):
        await hedge.call(answer)
    assert hedge.delay == 1


async def test_failed_calls_are_no_answers() -> None:
    hedge = Hedge()
    for _ in range(100):
        with pytest.raises(httpx.ReadError):
            await hedge.call(failing(httpx.ReadError("No.")))
    assert hedge.delay is None


@pytest.mark.usefixtures("durations")
async def test_without_enough_answers_there_is_no_second_copy() -> None:
    copies = Copies(failing(httpx.ReadError("No.")), answer)
    with pytest.raises(httpx.ReadError):
        await Hedge().call(copies)
    assert copies.begun == 1


async def test_second_copy_answers_and_the_first_is_cancelled(hedge: Hedge) -> None:
    copies = Copies(forever, answer)
    assert await hedge.call(copies) == b"ok"
    assert copies.cancelled == [0]


async def test_first_copy_answers_and_the_second_is_cancelled(hedge: Hedge) -> None:
    async def answer_late() -> bytes:
        await copies.all_begun.wait()
        return b"first"

    copies = Copies(answer_late, forever)
    assert await hedge.call(copies) == b"first"
    assert copies.cancelled == [1]


async def test_quick_call_has_no_second_copy(durations: list[float]) -> None:
    durations[:] = [50.0]
    hedge = Hedge()
    copies = Copies(*[answer] * 100)
    for _ in range(100):
        assert await hedge.call(copies) == b"ok"
    assert hedge.delay == 50
    assert copies.begun == 100


async def test_copy_that_fails_waits_for_the_other(hedge: Hedge) -> None:
    async def answer_late() -> bytes:
        for _ in range(20):
            await asyncio.sleep(0)
        return b"late"

    error = httpx.ReadError("No.")
    assert await hedge.call(Copies(failing(error), answer_late)) == b"late"
    assert await hedge.call(Copies(answer_late, failing(error))) == b"late"


async def test_error_of_the_first_copy_is_raised_when_both_fail(hedge: Hedge) -> None:
    first, second = httpx.ReadError("First."), httpx.ReadError("Second.")
    with pytest.raises(httpx.HTTPError) as caught:
        await hedge.call(Copies(failing(first), failing(second)))
    assert caught.value is first


async def test_any_other_exception_ends_both(hedge: Hedge) -> None:
    copies = Copies(forever, failing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        await hedge.call(copies)
    assert copies.cancelled == [0]


async def test_cancelling_the_caller_ends_both(hedge: Hedge) -> None:
    copies = Copies(forever, forever)
    caller = asyncio.create_task(hedge.call(copies))
    await copies.all_begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert copies.cancelled == [0, 1]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_at_most_one_call_in_twenty_gets_a_second_copy(hedge: Hedge) -> None:
    calls = 950
    begun = 0

    async def slow() -> bytes:
        nonlocal begun
        begun += 1
        for _ in range(5):
            await asyncio.sleep(0)
        return b"ok"

    for _ in range(calls):
        await hedge.call(slow)
    assert 45 <= begun - calls <= 50  # Of the 1,000 calls with those of the fixture.


class Slow(httpx.AsyncBaseTransport):
    """Sends the first request never, or with a status; and the copy, with status 200."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.sent = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent += 1
        if self.sent > 1:
            return httpx.Response(200)
        if self.status is None:
            await forever()
        for _ in range(10):
            await asyncio.sleep(0)
        return httpx.Response(self.status or 0)


@pytest.mark.parametrize("status", [None, 503])
async def test_answer_of_the_copy_wins(hedge: Hedge, status: int | None) -> None:
    slow = Slow(status)
    async with httpx.AsyncClient(transport=HedgeTransport(slow, hedge)) as client:
        response = await client.get("http://prices.example/")
    assert (response.status_code, slow.sent) == (200, 2)


async def test_request_that_must_not_be_repeated_is_sent_once(hedge: Hedge) -> None:
    slow = Slow(404)
    async with httpx.AsyncClient(transport=HedgeTransport(slow, hedge)) as client:
        response = await client.post("http://prices.example/", json={})
    assert (response.status_code, slow.sent) == (404, 1)

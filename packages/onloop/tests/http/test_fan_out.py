import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from httpx import HTTPError, ReadError

from onloop.http import DeadlineExceeded, fan_out


async def collect(
    call: Callable[[int], Awaitable[bytes]],
    items: Sequence[int],
    *,
    concurrency: int = 1000,
    deadline: float = 60.0,
) -> list[tuple[int, bytes | HTTPError]]:
    async with fan_out(call, items, concurrency=concurrency, deadline=deadline) as arrivals:
        return [(arrival.index, arrival.outcome) async for arrival in arrivals]


async def forever(_: int) -> bytes:
    await asyncio.Event().wait()
    raise AssertionError


async def test_outcomes_come_as_they_arrive() -> None:
    answered = [asyncio.Event() for _ in range(3)]

    async def call(item: int) -> bytes:
        await answered[item].wait()
        return b"%d" % item

    async with fan_out(call, range(3), concurrency=3, deadline=60.0) as arrivals:
        for item in (2, 0, 1):
            answered[item].set()
            assert (await anext(arrivals)).outcome == b"%d" % item
        with pytest.raises(StopAsyncIteration):
            await anext(arrivals)


@pytest.mark.parametrize(("concurrency", "expected"), [(1, 1), (3, 3), (10, 10), (1000, 10)])
async def test_calls_in_flight_are_bounded_and_the_bound_is_used(
    concurrency: int, expected: int
) -> None:
    in_flight = most = 0

    async def call(item: int) -> bytes:
        nonlocal in_flight, most
        in_flight += 1
        most = max(most, in_flight)
        await asyncio.sleep(0)
        in_flight -= 1
        return b"%d" % item

    arrivals = await collect(call, range(10), concurrency=concurrency)
    assert most == expected
    assert sorted(arrivals) == [(item, b"%d" % item) for item in range(10)]


async def test_times_show_when_each_call_ran() -> None:
    async def call(item: int) -> bytes:
        return b"" if item < 2 else await forever(item)

    async with fan_out(call, range(4), concurrency=1, deadline=0.05) as arrivals:
        first, second, in_flight, not_begun = [arrival async for arrival in arrivals]
    assert 0 <= first.started <= first.started + first.elapsed <= second.started
    assert second.started + second.elapsed <= in_flight.started
    assert in_flight.elapsed > 0
    assert not_begun.started >= in_flight.started + in_flight.elapsed
    assert not_begun.elapsed == 0


async def test_failed_call_is_an_outcome() -> None:
    error = ReadError("bad")

    async def call(item: int) -> bytes:
        if item == 1:
            raise error
        return b"ok"

    assert await collect(call, range(3)) == [(0, b"ok"), (1, error), (2, b"ok")]


async def test_deadline_is_the_outcome_of_calls_in_flight_and_of_calls_not_begun() -> None:
    begun = []

    async def call(item: int) -> bytes:
        begun.append(item)
        return b"ok" if item == 1 else await forever(item)

    arrivals = await collect(call, range(5), concurrency=2, deadline=0.05)
    assert begun == [0, 1, 2]
    assert arrivals[0] == (1, b"ok")
    assert [index for index, _ in arrivals[1:]] == [0, 2, 3, 4]
    for _, outcome in arrivals[1:]:
        assert isinstance(outcome, DeadlineExceeded)
        assert str(outcome) == "The server did not answer before the deadline of 0.05 s."


async def test_any_other_exception_cancels_the_calls_and_is_raised() -> None:
    cancelled = asyncio.Event()

    async def call(item: int) -> bytes:
        if item == 1:
            raise ZeroDivisionError
        try:
            return await forever(item)
        finally:
            cancelled.set()

    with pytest.RaisesGroup(ZeroDivisionError):
        await collect(call, range(2))
    assert cancelled.is_set()


async def test_leaving_the_block_ends_the_calls() -> None:
    ended = []

    async def call(item: int) -> bytes:
        if item == 0:
            return b"first"
        try:
            return await forever(item)
        finally:
            ended.append(item)

    async with fan_out(call, range(4), concurrency=4, deadline=60.0) as arrivals:
        assert (await anext(arrivals)).outcome == b"first"
        assert not ended
    assert sorted(ended) == [1, 2, 3]


async def test_error_of_the_block_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with fan_out(forever, range(4), concurrency=4, deadline=60.0):
            raise ZeroDivisionError
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelling_the_caller_ends_the_calls() -> None:
    begun = asyncio.Event()

    async def call(item: int) -> bytes:
        begun.set()
        return await forever(item)

    caller = asyncio.create_task(collect(call, range(4)))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert asyncio.all_tasks() == {asyncio.current_task()}

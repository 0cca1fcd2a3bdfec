"""The connections of an upstream: how many there are, and that none is lost."""

import asyncio
from random import Random

import httpx
import pytest

from onloop.http import (
    BulkheadFull,
    shared_http_client,
)
from onloop.testing import Call, serve_upstream
from tests.http.calls import declare, hello


@pytest.mark.usefixtures("wire")
class TestBulkhead:
    async def test_one_that_hangs_leaves_another_at_full_speed(self) -> None:
        async with serve_upstream(Call.closed) as slow, serve_upstream(hello) as quick:
            stock = declare(slow.url, "stock", max_connections=3)
            prices = declare(quick.url, "prices", max_connections=3)
            async with shared_http_client():
                hanging = [asyncio.create_task(stock.get("/")) for _ in range(20)]
                for _ in range(20):
                    assert (await prices.get("/")).json() == "hello"
                assert (stock.figures().in_flight, stock.figures().waiting) == (3, 17)
                assert slow.most_in_flight <= 3
                for call in hanging:
                    call.cancel()
                await asyncio.wait(hanging)
            assert (stock.figures().in_flight, stock.figures().waiting) == (0, 0)

    async def test_wait_has_a_bound_and_tells_nothing_of_the_upstream(self) -> None:
        async with serve_upstream(Call.closed) as server, shared_http_client():
            prices = declare(server.url, max_connections=5, timeout=httpx.Timeout(60, pool=0.05))
            slow = [asyncio.create_task(prices.get("/")) for _ in range(5)]
            outcomes = await asyncio.gather(
                *(prices.get("/") for _ in range(40)), return_exceptions=True
            )
            assert {type(outcome) for outcome in outcomes} == {BulkheadFull}
            assert str(outcomes[0]) == "No connection was free within 0.05 s."
            assert prices.figures().circuit == "closed"
            for call in slow:
                call.cancel()
            await asyncio.wait(slow)

    async def test_random_cancellation_leaves_no_slot_task_or_connection(self) -> None:
        random = Random(12)  # noqa: S311

        async def answer(call: Call) -> None:
            for _ in range(random.randrange(4)):
                await asyncio.sleep(0)
            await hello(call)

        async with serve_upstream(answer) as server:
            async with shared_http_client():
                prices = declare(server.url, max_connections=4, hedge=True, coalesce=True)
                for round_ in range(400):
                    calls = [
                        asyncio.create_task(prices.get(f"/{round_}/{number % 6}"))
                        for number in range(8)
                    ]
                    for _ in range(random.randrange(12)):
                        await asyncio.sleep(0)
                    for call in random.sample(calls, 4):
                        call.cancel()
                    await asyncio.wait(calls)
                    assert all(call.cancelled() or call.result().is_success for call in calls)
                figures = prices.figures()
                assert (figures.in_flight, figures.waiting) == (0, 0)
                answers = await asyncio.gather(*(prices.get(f"/{number}") for number in range(4)))
                assert [answer.json() for answer in answers] == ["hello"] * 4
            await server.all_closed.wait()

    async def test_stream_holds_its_connection_until_it_is_closed(self) -> None:
        async with serve_upstream(hello) as server:
            prices = declare(server.url, max_connections=1)
            async with prices.stream("GET", "/") as response:
                assert prices.figures().in_flight == 1
                assert await response.aread() == b'"hello"'
            assert prices.figures().in_flight == 0
            assert (await prices.get("/")).json() == "hello"

import asyncio

import pytest

from onloop.http._httpx import AsyncBaseTransport, Request, Response
from onloop.http.deadline import DeadlineTransport, deadline, time_left
from onloop.http.exceptions import DeadlineExceeded
from tests.http.layers import Layer, forever, get, ok
from tests.virtual_time import run


async def call(next_: AsyncBaseTransport, header: str | None = None) -> Response:
    return await DeadlineTransport(next_, header).handle_async_request(get())


def test_nearer_deadline_holds_and_ends_with_its_block() -> None:
    async def work() -> None:
        assert time_left() is None
        with deadline(2.0):
            await asyncio.sleep(0.5)
            assert time_left() == 1.5
            async with deadline(1.0):
                assert time_left() == 1.0
            with deadline(5.0):
                assert time_left() == 1.5
            await asyncio.sleep(3)
            assert time_left() == 0
        assert time_left() is None

    run(work())


async def test_tasks_have_the_deadline_of_their_block() -> None:
    async def task() -> float | None:
        return time_left()

    with deadline(60):
        inside = asyncio.create_task(task())
    outside = asyncio.create_task(task())
    assert await inside
    assert await outside is None


def test_sync_code_has_a_deadline_too() -> None:
    with deadline(60):
        assert 0 < (time_left() or 0) <= 60
    assert time_left() is None


@pytest.mark.parametrize("seconds", [None, 60.0])
async def test_call_in_time_is_made(seconds: float | None) -> None:
    layer = Layer(ok)
    if seconds is None:
        response = await call(layer)
    else:
        with deadline(seconds):
            response = await call(layer)
    assert response.status_code == 200
    assert len(layer.requests) == 1


def test_call_ends_at_the_deadline() -> None:
    layer = Layer(forever)

    async def work() -> None:
        with deadline(2.0):
            await asyncio.sleep(0.75)
            with pytest.raises(DeadlineExceeded) as raised:
                await call(layer)
        assert str(raised.value) == "The deadline passed 1.25 s after the call began."
        assert raised.value.request is layer.requests[0]
        assert asyncio.get_running_loop().time() == 1002.0
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(work())


async def test_call_after_the_deadline_sends_nothing() -> None:
    layer = Layer(ok)
    with deadline(0), pytest.raises(DeadlineExceeded, match=r"^The deadline had passed") as raised:
        await call(layer, header="X-Time-Left")
    assert not layer.requests
    assert str(raised.value.request.url) == "http://prices.example/"


async def test_other_timeout_is_not_taken_for_the_deadline() -> None:
    async def broken(_: Request) -> Response:
        raise TimeoutError("Not ours.")

    with deadline(60), pytest.raises(TimeoutError, match=r"^Not ours\.$"):
        await call(Layer(broken))


async def test_cancellation_is_not_swallowed() -> None:
    begun = asyncio.Event()

    async def begin(request: Request) -> Response:
        begun.set()
        return await forever(request)

    async def work() -> None:
        with deadline(60):
            await call(Layer(begin))

    caller = asyncio.create_task(work())
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


def test_cancellation_at_the_deadline_wins() -> None:
    async def work() -> None:
        async def caller() -> None:
            with deadline(1.0):
                await call(Layer(forever))

        task = asyncio.create_task(caller())
        asyncio.get_running_loop().call_later(1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(work())


def test_what_is_left_is_sent_in_whole_milliseconds() -> None:
    layer = Layer(ok)

    async def work() -> None:
        await call(layer, header="X-Time-Left")
        with deadline(0.8125):
            await call(layer, header="X-Time-Left")
            await asyncio.sleep(0.8124)
            await call(layer, header="X-Time-Left")
            await call(layer)

    run(work())
    sent = [request.headers.get("X-Time-Left") for request in layer.requests]
    assert sent == [None, "812", "1", None]


async def test_closing_closes_the_layer_below() -> None:
    layer = Layer(ok)
    await DeadlineTransport(layer).aclose()
    assert layer.closed

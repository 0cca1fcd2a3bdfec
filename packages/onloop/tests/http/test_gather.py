import asyncio
import gc
from collections.abc import Generator

import pytest

from onloop.http._httpx import ByteStream, ConnectError, HTTPError, Response
from onloop.http.deadline import DeadlineTransport, deadline, time_left
from onloop.http.exceptions import DeadlineExceeded, error_type
from onloop.http.gather import gather
from tests.http.layers import Layer, Streamed, forever, get
from tests.virtual_time import run


async def answer(text: str = "ok", *, after: float = 0, status: int = 200) -> Response:
    await asyncio.sleep(after)
    return Response(status, text=text)


async def fail(error: Exception, *, after: float = 0) -> Response:
    await asyncio.sleep(after)
    raise error


async def hang() -> Response:
    return await forever(get())


def is_alone() -> bool:
    """Whether no task is left besides that of the test."""
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_answers_and_errors_stand_under_their_names_in_order() -> None:
    refused = ConnectError("refused")

    answers = await gather(
        item=answer("item", after=0.001), price=fail(refused), stock=answer(status=503)
    )

    assert list(answers) == ["item", "price", "stock"]
    assert answers["price"] is refused
    item, stock = answers["item"], answers["stock"]
    assert isinstance(item, Response)
    assert item.text == "item"
    assert isinstance(stock, Response)
    assert stock.status_code == 503


async def test_nothing_is_gathered_from_nothing() -> None:
    assert await gather(deadline=1.0) == {}


async def test_calls_run_at_the_same_time() -> None:
    barrier = asyncio.Barrier(3)

    async def call(number: int) -> int:
        await barrier.wait()
        return number

    assert await gather(a=call(1), b=call(2), c=call(3)) == {"a": 1, "b": 2, "c": 3}


async def test_any_awaitable_is_a_call() -> None:
    class Ready:
        def __await__(self) -> Generator[None, None, int]:
            yield from asyncio.sleep(0).__await__()
            return 1

    async def two() -> int:
        return 2

    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    future.set_result(3)
    answers = await gather(a=Ready(), b=asyncio.create_task(two()), c=future)
    assert answers == {"a": 1, "b": 2, "c": 3}


class TestDeadline:
    def test_late_calls_are_ended(self) -> None:
        async def work() -> None:
            answers = await gather(fast=answer(after=0.5), late=hang(), deadline=0.8)
            assert asyncio.get_running_loop().time() == 1000.8
            assert is_alone()
            assert isinstance(answers["fast"], Response)
            late = answers["late"]
            assert isinstance(late, DeadlineExceeded)
            assert str(late) == "The call had not ended when the deadline of 0.8 s passed."
            assert error_type(late) == "deadline_exceeded"

        run(work())

    def test_calls_see_it(self) -> None:
        async def left() -> float | None:
            return time_left()

        async def work() -> None:
            assert await gather(a=left()) == {"a": None}
            assert await gather(a=left(), deadline=1.5) == {"a": 1.5}
            assert time_left() is None

        run(work())

    def test_earlier_one_of_the_caller_stays(self) -> None:
        async def work() -> None:
            with deadline(0.5):
                for later in (None, 0.8):
                    start = asyncio.get_running_loop().time()
                    answers = await gather(late=hang(), deadline=later)
                    assert asyncio.get_running_loop().time() == 1000.5
                    message = (
                        f"The call had not ended when the deadline of {1000.5 - start:g} s passed."
                    )
                    assert str(answers["late"]) == message

        run(work())

    def test_calls_of_upstreams_end_at_it_themselves(self) -> None:
        async def work() -> None:
            call = DeadlineTransport(Layer(forever)).handle_async_request(get())
            answers = await gather(late=call, deadline=0.5)
            assert isinstance(answers["late"], DeadlineExceeded)

        run(work())


class TestSoftDeadline:
    def test_counts_from_the_first_good_answer(self) -> None:
        async def work() -> None:
            answers = await gather(
                bad=answer(status=503, after=0.125),
                error=fail(ConnectError("refused"), after=0.25),
                good=answer(after=0.5),
                soon=answer(after=0.75),
                late=hang(),
                deadline=10.0,
                soft_deadline=0.5,
            )
            assert asyncio.get_running_loop().time() == 1001.0
            assert is_alone()
            assert isinstance(answers["bad"], Response)
            assert isinstance(answers["error"], ConnectError)
            assert isinstance(answers["good"], Response)
            assert isinstance(answers["soon"], Response)
            late = answers["late"]
            assert isinstance(late, DeadlineExceeded)
            assert str(late) == "The call had not ended 0.5 s after the first good answer."

        run(work())

    def test_deadline_may_come_first(self) -> None:
        async def work() -> None:
            answers = await gather(
                good=answer(after=0.5), late=hang(), deadline=0.75, soft_deadline=0.5
            )
            assert asyncio.get_running_loop().time() == 1000.75
            assert "deadline of 0.75 s" in str(answers["late"])

        run(work())

    def test_without_a_good_answer_there_is_none(self) -> None:
        async def work() -> None:
            answers = await gather(
                error=fail(ConnectError("refused")), slow=answer(after=3600), soft_deadline=0.5
            )
            assert isinstance(answers["slow"], Response)

        run(work())

    async def test_all_answers_end_it(self) -> None:
        answers = await gather(a=answer("a"), b=answer("b"), soft_deadline=3600)
        assert all(isinstance(answer, Response) for answer in answers.values())

    def test_call_that_answers_when_it_is_cancelled_has_its_answer(self) -> None:
        async def stubborn() -> Response:
            try:
                return await hang()
            except asyncio.CancelledError:
                return await answer("after all")

        async def work() -> None:
            answers = await gather(good=answer(), late=stubborn(), soft_deadline=0.5)
            late = answers["late"]
            assert isinstance(late, Response)
            assert late.text == "after all"

        run(work())


class TestDefect:
    async def test_is_raised_as_it_is_and_cancels_the_calls(self) -> None:
        defect = KeyError("sku")
        with pytest.raises(KeyError) as raised:
            await gather(item=hang(), price=fail(defect), deadline=60)
        assert raised.value is defect
        assert is_alone()

    async def test_of_other_calls_is_a_note_on_the_first(self) -> None:
        with pytest.raises(KeyError) as raised:
            await gather(
                a=fail(KeyError("sku")),
                b=fail(ValueError("http://ada:secret@prices.example/?key=1 is bad.")),
            )
        expected = "Another call failed: ValueError: http://***@prices.example/?*** is bad"
        assert raised.value.__notes__ == [expected]

    async def test_at_the_end_is_raised(self) -> None:
        async def clumsy() -> Response:
            try:
                return await hang()
            finally:
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await gather(late=clumsy(), deadline=0.001)

    async def test_call_that_somebody_else_cancels_is_one(self) -> None:
        task = asyncio.create_task(hang())
        asyncio.get_running_loop().call_soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await gather(item=task, price=hang())
        assert is_alone()

    async def test_closes_answers_that_nobody_will_read(self) -> None:
        stream = Streamed()

        async def streamed() -> Response:
            return Response(200, stream=stream)

        with pytest.raises(KeyError):
            await gather(
                events=streamed(), other=fail(ConnectError("")), bad=fail(KeyError(), after=0.001)
            )
        assert stream.closed

    async def test_no_awaitable_leaves_no_task(self) -> None:
        with pytest.raises(TypeError):
            await gather(item=hang(), price=3, stock=hang())  # type: ignore[arg-type]
        assert is_alone()
        gc.collect()  # A coroutine that was never awaited would warn here.


class TestCancelledCaller:
    async def test_ends_the_calls(self) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def call() -> Response:
            begun.set()
            try:
                return await hang()
            finally:
                await asyncio.sleep(0.001)
                ended.set()

        caller = asyncio.create_task(gather(a=call(), b=answer(), deadline=60))
        await begun.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert ended.is_set()
        assert is_alone()

    async def test_waits_for_the_calls_even_if_it_is_cancelled_again(self) -> None:
        begun, ending, may_end, ended = (asyncio.Event() for _ in range(4))

        async def call() -> Response:
            begun.set()
            try:
                return await hang()
            finally:
                ending.set()
                await may_end.wait()
                ended.set()

        caller = asyncio.create_task(gather(a=call()))
        await begun.wait()
        caller.cancel()
        await ending.wait()
        caller.cancel()
        await asyncio.sleep(0)
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert ended.is_set()

    async def test_before_its_first_step_starts_no_call(self) -> None:
        ready = asyncio.get_running_loop().create_future()
        caller = asyncio.create_task(gather(a=hang(), b=gather(c=hang()), d=ready))
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        gc.collect()  # A coroutine that was never awaited would warn here.

    async def test_before_the_first_step_of_the_calls(self) -> None:
        caller = asyncio.create_task(gather(a=hang(), b=gather(c=hang())))
        asyncio.get_running_loop().call_soon(caller.cancel)
        with pytest.raises(asyncio.CancelledError):
            await caller
        gc.collect()
        assert is_alone()


def test_answer_and_error_are_told_apart_by_their_type() -> None:
    async def work() -> str:
        answers: dict[str, Response | HTTPError] = await gather(
            price=DeadlineTransport(Layer(ok_text)).handle_async_request(get())
        )
        price = answers["price"]
        return price.text if isinstance(price, Response) else error_type(price)

    assert run(work()) == "7"


async def ok_text(_: object) -> Response:
    response = Response(200, stream=ByteStream(b"7"))
    response.read()
    return response

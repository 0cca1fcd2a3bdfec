import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest

from runtime.breaker import Breaker, CircuitOpenError
from runtime.http import (
    BadResponseError,
    BrokenAnswerError,
    CallTimeoutError,
    ConnectError,
    DNSError,
    HTTPClientError,
)

FAILURE = ConnectError("No connection.")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("runtime.breaker.monotonic", clock)
    return clock


@pytest.fixture
def breaker() -> Breaker:
    return Breaker("http://upstream", percent=50, seconds=10.0)


def ending(error: HTTPClientError | None) -> Callable[[], Awaitable[bytes]]:
    async def call() -> bytes:
        if error:
            raise error
        return b"ok"

    return call


async def succeed(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        assert await breaker.call(ending(None)) == b"ok"


async def fail(breaker: Breaker, times: int = 1, error: HTTPClientError = FAILURE) -> None:
    for _ in range(times):
        with pytest.raises(type(error)) as caught:
            await breaker.call(ending(error))
        assert caught.value is error


async def refuse(breaker: Breaker) -> None:
    """See that a call is refused without being made."""

    async def call() -> bytes:
        raise AssertionError

    with pytest.raises(CircuitOpenError, match=r"^The server has failed too often"):
        await breaker.call(call)


class Pending:
    """A call that has begun and ends when the test says so."""

    def __init__(self, breaker: Breaker) -> None:
        self.begun = asyncio.Event()
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self.task = asyncio.create_task(breaker.call(self._call))

    async def _call(self) -> bytes:
        self.begun.set()
        return await self.answer


async def test_failure_rate_opens_it(breaker: Breaker) -> None:
    await succeed(breaker, 10)
    await fail(breaker, 9)
    assert breaker.state == "closed"
    await fail(breaker)
    assert breaker.state == "open"
    await refuse(breaker)


async def test_few_calls_open_nothing(breaker: Breaker) -> None:
    await fail(breaker, 19)
    assert breaker.state == "closed"
    await fail(breaker)
    assert breaker.state == "open"


async def test_only_the_last_calls_count(breaker: Breaker) -> None:
    await fail(breaker, 9)
    await succeed(breaker, 1000)
    await fail(breaker, 49)
    assert breaker.state == "closed"
    await fail(breaker)
    assert breaker.state == "open"


async def test_success_never_opens_it(breaker: Breaker) -> None:
    await fail(breaker, 19)
    await succeed(breaker)
    assert breaker.state == "closed"


async def test_percent_of_zero_never_opens_it() -> None:
    breaker = Breaker("http://upstream", percent=0, seconds=10.0)
    await fail(breaker, 200)
    assert breaker.state == "closed"


@pytest.mark.parametrize(
    "error",
    [
        DNSError("No address."),
        ConnectError("No connection."),
        CallTimeoutError("Too late."),
        BrokenAnswerError("Cut off."),
        BadResponseError("Status 500.", 500),
        BadResponseError("Status 503.", 503),
    ],
)
async def test_server_in_trouble(breaker: Breaker, error: HTTPClientError) -> None:
    await fail(breaker, 20, error)
    assert breaker.state == "open"


@pytest.mark.parametrize(
    "error",
    [
        BadResponseError("Status 302.", 302),
        BadResponseError("Status 404.", 404),
        BadResponseError("Status 429.", 429),
        BadResponseError("Too large."),
    ],
)
async def test_server_that_answers_is_not_in_trouble(
    breaker: Breaker, error: HTTPClientError
) -> None:
    await fail(breaker, 200, error)
    assert breaker.state == "closed"


async def test_it_stays_open_for_its_time(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 20)
    clock.now += 9.9
    await refuse(breaker)
    clock.now += 0.1
    await succeed(breaker)
    assert breaker.state == "closed"


async def test_one_call_probes_and_the_others_are_refused(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 20)
    clock.now += 10
    probe = Pending(breaker)
    await probe.begun.wait()
    assert breaker.state == "half_open"
    await refuse(breaker)
    probe.answer.set_result(b"ok")
    assert await probe.task == b"ok"
    assert breaker.state == "closed"


async def test_failing_probe_opens_it_for_its_time_again(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 20)
    clock.now += 10
    await fail(breaker)
    assert breaker.state == "open"
    clock.now += 9.9
    await refuse(breaker)
    clock.now += 0.1
    await succeed(breaker)


async def test_cancelled_probe_leaves_the_place_to_another(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 20)
    clock.now += 10
    probe = Pending(breaker)
    await probe.begun.wait()
    probe.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe.task
    await succeed(breaker)
    assert breaker.state == "closed"


async def test_cancelled_calls_say_nothing(breaker: Breaker) -> None:
    for _ in range(40):
        call = Pending(breaker)
        await call.begun.wait()
        call.task.cancel()
        await asyncio.wait([call.task])
    assert breaker.state == "closed"
    await succeed(breaker)


@pytest.mark.parametrize("late", [FAILURE, None])
async def test_call_from_before_it_opened_neither_closes_nor_fails_the_probe(
    breaker: Breaker, clock: Clock, late: HTTPClientError | None
) -> None:
    old = Pending(breaker)
    await old.begun.wait()
    await fail(breaker, 20)
    clock.now += 10
    probe = Pending(breaker)
    await probe.begun.wait()
    if late:
        old.answer.set_exception(late)
    else:
        old.answer.set_result(b"late")
    await asyncio.wait([old.task])
    assert (old.task.exception() is late) if late else (old.task.result() == b"late")
    assert breaker.state == "half_open"
    probe.answer.set_result(b"ok")
    await probe.task


async def test_closed_again_it_begins_to_count_anew(breaker: Breaker, clock: Clock) -> None:
    await fail(breaker, 20)
    clock.now += 10
    await succeed(breaker)
    await fail(breaker, 19)
    assert breaker.state == "closed"


async def test_every_change_is_logged(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "runtime.breaker")
    await fail(breaker, 20)
    clock.now += 10
    await fail(breaker)
    clock.now += 10
    await succeed(breaker)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "The circuit to http://upstream is open for 10 s: 20 of the last 20 calls failed.",
        ),
        ("INFO", "The circuit to http://upstream is half-open: one call probes it."),
        ("WARNING", "The circuit to http://upstream is open for 10 s: its probe failed."),
        ("INFO", "The circuit to http://upstream is half-open: one call probes it."),
        ("INFO", "The circuit to http://upstream is closed again."),
    ]

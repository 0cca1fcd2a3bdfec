import asyncio
import logging
from contextlib import ExitStack, nullcontext

import pytest

from onloop.http import (
    BadResponseError,
    BrokenAnswerError,
    CallTimeoutError,
    CircuitOpenError,
    ConnectError,
    DNSError,
    HTTPClientError,
    PoolTimeoutError,
)
from onloop.http.breaker import Breaker

FAILURE = ConnectError("No connection.")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("onloop.http.breaker.monotonic", clock)
    return clock


@pytest.fixture
def breaker() -> Breaker:
    return Breaker("http://upstream", percent=50, seconds=10.0)


def succeed(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with breaker.call():
            pass


def fail(breaker: Breaker, times: int = 1, error: BaseException = FAILURE) -> None:
    for _ in range(times):
        with pytest.raises(type(error)), breaker.call():
            raise error


def refuse(breaker: Breaker) -> None:
    """See that a call is refused."""
    with pytest.raises(CircuitOpenError, match=r"^The server has failed too often"):
        breaker.call()


def test_failure_rate_opens_it(breaker: Breaker) -> None:
    succeed(breaker, 10)
    fail(breaker, 9)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"
    refuse(breaker)


def test_few_calls_open_nothing(breaker: Breaker) -> None:
    fail(breaker, 19)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_only_the_last_calls_count(breaker: Breaker) -> None:
    fail(breaker, 9)
    succeed(breaker, 1000)
    fail(breaker, 49)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


def test_success_never_opens_it(breaker: Breaker) -> None:
    fail(breaker, 19)
    succeed(breaker)
    assert breaker.state == "closed"


def test_percent_of_zero_never_opens_it() -> None:
    breaker = Breaker("http://upstream", percent=0, seconds=10.0)
    fail(breaker, 200)
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
def test_server_in_trouble(breaker: Breaker, error: HTTPClientError) -> None:
    fail(breaker, 20, error)
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
def test_server_that_answers_is_not_in_trouble(breaker: Breaker, error: HTTPClientError) -> None:
    fail(breaker, 200, error)
    assert breaker.state == "closed"


def test_it_stays_open_for_its_time(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 9.9
    refuse(breaker)
    clock.now += 0.1
    succeed(breaker)
    assert breaker.state == "closed"


def test_one_call_probes_and_the_others_are_refused(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 10
    with breaker.call():
        assert breaker.state == "half_open"
        refuse(breaker)
    assert breaker.state == "closed"


def test_failing_probe_opens_it_for_its_time_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 10
    fail(breaker)
    assert breaker.state == "open"
    clock.now += 9.9
    refuse(breaker)
    clock.now += 0.1
    succeed(breaker)


NO_OUTCOME = [asyncio.CancelledError(), PoolTimeoutError("No connection was free.")]


@pytest.mark.parametrize("error", NO_OUTCOME)
def test_probe_without_an_outcome_leaves_the_place_to_another(
    breaker: Breaker, clock: Clock, error: BaseException
) -> None:
    fail(breaker, 20)
    clock.now += 10
    fail(breaker, error=error)
    assert breaker.state == "open"
    succeed(breaker)
    assert breaker.state == "closed"


@pytest.mark.parametrize("error", NO_OUTCOME)
def test_calls_without_an_outcome_do_not_count(breaker: Breaker, error: BaseException) -> None:
    fail(breaker, 19)
    fail(breaker, 200, error)
    assert breaker.state == "closed"
    fail(breaker)
    assert breaker.state == "open"


@pytest.mark.parametrize("late", [FAILURE, None])
def test_call_from_before_it_opened_neither_closes_nor_fails_the_probe(
    breaker: Breaker, clock: Clock, late: HTTPClientError | None
) -> None:
    with ExitStack() as probe:
        with pytest.raises(ConnectError) if late else nullcontext(), breaker.call():
            fail(breaker, 20)
            clock.now += 10
            probe.enter_context(breaker.call())
            if late:
                raise late
        assert breaker.state == "half_open"
    assert breaker.state == "closed"


def test_attempts_end_when_the_circuit_changes(breaker: Breaker, clock: Clock) -> None:
    with breaker.call() as period:
        fail(breaker, 19)
        period.check()
        fail(breaker)
        with pytest.raises(CircuitOpenError):
            period.check()
    clock.now += 10
    succeed(breaker)
    with pytest.raises(CircuitOpenError):
        period.check()


def test_closed_again_it_counts_from_zero(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 20)
    clock.now += 10
    succeed(breaker)
    fail(breaker, 19)
    assert breaker.state == "closed"


def test_every_change_is_logged(
    breaker: Breaker, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "onloop.http.breaker")
    fail(breaker, 20)
    clock.now += 10
    fail(breaker)
    clock.now += 10
    succeed(breaker)
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

import asyncio
import logging
from contextlib import ExitStack, nullcontext

import httpx
import pytest

from onloop.http import BodyTooLarge, Breaker, BulkheadFull, CircuitOpenError, DNSError
from onloop.http.breaker import BreakerTransport, Circuit
from onloop.http.exceptions import status_error

FAILURE = httpx.ConnectError("No connection.")


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
def circuit() -> Circuit:
    return Circuit("prices", Breaker(percent=50, seconds=10.0))


def status(code: int) -> httpx.HTTPStatusError:
    """The error for an answer with this status."""
    request = httpx.Request("GET", "http://prices.example/")
    return status_error(httpx.Response(code, request=request))


def succeed(circuit: Circuit, times: int = 1) -> None:
    for _ in range(times):
        with circuit.call():
            pass


def fail(circuit: Circuit, times: int = 1, error: BaseException = FAILURE) -> None:
    for _ in range(times):
        with pytest.raises(type(error)), circuit.call():
            raise error


def refuse(circuit: Circuit) -> None:
    """See that a call is refused."""
    with pytest.raises(CircuitOpenError, match=r"^The server has failed too often"):
        circuit.call()


def test_failure_rate_opens_it(circuit: Circuit) -> None:
    succeed(circuit, 10)
    fail(circuit, 9)
    assert circuit.state == "closed"
    fail(circuit)
    assert circuit.state == "open"
    refuse(circuit)


def test_few_calls_open_nothing(circuit: Circuit) -> None:
    fail(circuit, 19)
    assert circuit.state == "closed"
    fail(circuit)
    assert circuit.state == "open"


def test_only_the_last_calls_count(circuit: Circuit) -> None:
    fail(circuit, 9)
    succeed(circuit, 1000)
    fail(circuit, 49)
    assert circuit.state == "closed"
    fail(circuit)
    assert circuit.state == "open"


def test_success_never_opens_it(circuit: Circuit) -> None:
    fail(circuit, 19)
    succeed(circuit)
    assert circuit.state == "closed"


def test_percent_of_zero_never_opens_it() -> None:
    circuit = Circuit("prices", Breaker(percent=0))
    fail(circuit, 200)
    assert circuit.state == "closed"


@pytest.mark.parametrize(
    "error",
    [
        DNSError("No address."),
        httpx.ConnectError("No connection."),
        httpx.ReadTimeout("Too late."),
        httpx.RemoteProtocolError("Cut off."),
        status(500),
        status(503),
    ],
)
def test_server_in_trouble(circuit: Circuit, error: httpx.HTTPError) -> None:
    fail(circuit, 20, error)
    assert circuit.state == "open"


@pytest.mark.parametrize(
    "error",
    [
        status(302),
        status(404),
        status(429),
        BodyTooLarge("Too large."),
        httpx.DecodingError("No JSON."),
    ],
)
def test_server_that_answers_is_not_in_trouble(circuit: Circuit, error: httpx.HTTPError) -> None:
    fail(circuit, 200, error)
    assert circuit.state == "closed"


def test_it_stays_open_for_its_time(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 20)
    clock.now += 9.9
    refuse(circuit)
    clock.now += 0.1
    succeed(circuit)
    assert circuit.state == "closed"


def test_one_call_probes_and_the_others_are_refused(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 20)
    clock.now += 10
    with circuit.call():
        assert circuit.state == "half_open"
        refuse(circuit)
    assert circuit.state == "closed"


def test_failing_probe_opens_it_for_its_time_again(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 20)
    clock.now += 10
    fail(circuit)
    assert circuit.state == "open"
    clock.now += 9.9
    refuse(circuit)
    clock.now += 0.1
    succeed(circuit)


NO_OUTCOME = [asyncio.CancelledError(), BulkheadFull("No connection was free.")]


@pytest.mark.parametrize("error", NO_OUTCOME)
def test_probe_without_an_outcome_leaves_the_place_to_another(
    circuit: Circuit, clock: Clock, error: BaseException
) -> None:
    fail(circuit, 20)
    clock.now += 10
    fail(circuit, error=error)
    assert circuit.state == "open"
    succeed(circuit)
    assert circuit.state == "closed"


@pytest.mark.parametrize("error", NO_OUTCOME)
def test_calls_without_an_outcome_do_not_count(circuit: Circuit, error: BaseException) -> None:
    fail(circuit, 19)
    fail(circuit, 200, error)
    assert circuit.state == "closed"
    fail(circuit)
    assert circuit.state == "open"


@pytest.mark.parametrize("late", [FAILURE, None])
def test_call_from_before_it_opened_neither_closes_nor_fails_the_probe(
    circuit: Circuit, clock: Clock, late: httpx.HTTPError | None
) -> None:
    with ExitStack() as probe:
        with pytest.raises(httpx.ConnectError) if late else nullcontext(), circuit.call():
            fail(circuit, 20)
            clock.now += 10
            probe.enter_context(circuit.call())
            if late:
                raise late
        assert circuit.state == "half_open"
    assert circuit.state == "closed"


def test_closed_again_it_counts_from_zero(circuit: Circuit, clock: Clock) -> None:
    fail(circuit, 20)
    clock.now += 10
    succeed(circuit)
    fail(circuit, 19)
    assert circuit.state == "closed"


def test_every_change_is_logged(
    circuit: Circuit, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "onloop.http.breaker")
    fail(circuit, 20)
    clock.now += 10
    fail(circuit)
    clock.now += 10
    succeed(circuit)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (
            "WARNING",
            "The circuit to prices is open for 10 s: 20 of the last 20 calls failed.",
        ),
        ("INFO", "The circuit to prices is half-open: one call probes it."),
        ("WARNING", "The circuit to prices is open for 10 s: its probe failed."),
        ("INFO", "The circuit to prices is half-open: one call probes it."),
        ("INFO", "The circuit to prices is closed again."),
    ]


async def test_answers_with_a_failing_status_open_it(circuit: Circuit) -> None:
    answers = httpx.MockTransport(lambda request: httpx.Response(503))
    async with httpx.AsyncClient(transport=BreakerTransport(answers, circuit)) as client:
        for _ in range(20):
            response = await client.get("http://prices.example/")
            assert response.status_code == 503
        with pytest.raises(CircuitOpenError):
            await client.get("http://prices.example/")


async def test_any_other_answer_leaves_it_closed(circuit: Circuit) -> None:
    answers = httpx.MockTransport(lambda request: httpx.Response(404))
    async with httpx.AsyncClient(transport=BreakerTransport(answers, circuit)) as client:
        for _ in range(40):
            response = await client.get("http://prices.example/")
            assert response.status_code == 404
    assert circuit.state == "closed"

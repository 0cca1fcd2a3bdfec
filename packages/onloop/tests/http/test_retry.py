import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from time import time

import httpx
import pytest
from django.utils.http import http_date

from onloop.http import BodyTooLarge, Breaker, CircuitOpenError, DNSError, deadline
from onloop.http.breaker import Circuit, State
from onloop.http.retry import Retries
from onloop.testing import Answer, Call, serve_upstream
from tests.http.calls import closed_port, declare, hello

pytestmark = pytest.mark.usefixtures("wire")


@pytest.fixture(autouse=True)
def _longest_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    def uniform(low: float, high: float) -> float:
        assert low == 0
        return high

    monkeypatch.setattr("onloop.http.retry.uniform", uniform)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds of each pause, which is over at once."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)
    return pauses


async def persist(
    call: Callable[[], Awaitable[bytes]], *, limit: int = 2, circuit: Circuit | None = None
) -> bytes:
    return await Retries(limit, circuit or Circuit("prices", Breaker())).call(call)


def status(line: str, *headers: str) -> Answer:
    async def answer(call: Call) -> None:
        await call.reply(b"{}", line, *headers)

    return answer


def first(failures: int, fail: Answer) -> Answer:
    """Fail so many calls, and answer those after them."""
    left = iter(range(failures))

    async def answer(call: Call) -> None:
        await (hello if next(left, None) is None else fail)(call)

    return answer


async def reset(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.reset()


async def truncated(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.writer.close()


@pytest.mark.parametrize(
    "failure",
    [
        status("429 Too Many Requests"),
        status("500 Internal Server Error"),
        status("502 Bad Gateway"),
        status("503 Service Unavailable"),
        status("504 Gateway Timeout"),
        reset,
        truncated,
    ],
)
async def test_passing_failure_is_retried(failure: Answer, pauses: list[float]) -> None:
    async with serve_upstream(first(2, failure)) as upstream:
        response = await declare(upstream.url).get("/")
    assert response.json() == "hello"
    assert len(upstream.calls) == 3
    assert pauses == [0.1, 0.2]


async def test_call_that_succeeds_is_made_once(pauses: list[float]) -> None:
    async with serve_upstream(hello) as upstream:
        await declare(upstream.url).get("/")
    assert len(upstream.calls) == 1
    assert not pauses


@pytest.mark.parametrize(
    ("url", "error"),
    [("http://127.0.0.1:{port}/", httpx.ConnectError), ("http://nowhere.invalid/", DNSError)],
)
async def test_missing_connection_is_retried(
    url: str, error: type[httpx.HTTPError], pauses: list[float]
) -> None:
    with pytest.raises(error):
        await declare(url.format(port=closed_port())).get("/")
    assert len(pauses) == 2


@pytest.mark.parametrize(
    "failure",
    [
        status("302 Found", "Location: /"),
        status("400 Bad Request"),
        status("401 Unauthorized"),
        status("404 Not Found"),
        status("408 Request Timeout"),
        status("501 Not Implemented"),
        status("404 Not Found", "Retry-After: 1"),
    ],
)
async def test_lasting_failure_is_not_retried(failure: Answer, pauses: list[float]) -> None:
    async with serve_upstream(failure) as upstream:
        response = await declare(upstream.url).get("/")
    assert not response.is_success
    assert len(upstream.calls) == 1
    assert not pauses


async def test_too_large_a_body_is_not_retried(pauses: list[float]) -> None:
    async with serve_upstream(lambda call: call.reply(b"x" * 1001)) as upstream:
        with pytest.raises(BodyTooLarge, match=r"^The server's answer is larger than 1000 bytes"):
            await declare(upstream.url, max_bytes=1000).get("/")
    assert len(upstream.calls) == 1
    assert not pauses


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_request_that_must_not_be_repeated_is_sent_once(
    method: str, pauses: list[float]
) -> None:
    async with serve_upstream(status("503 Service Unavailable")) as upstream:
        response = await declare(upstream.url).request(method, "/", json={"sku": 1})
    assert response.status_code == 503
    assert len(upstream.calls) == 1
    assert not pauses


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
async def test_request_that_may_be_repeated_is_sent_again(method: str, pauses: list[float]) -> None:
    key = {"Idempotency-Key": '"8e03978e"'} if method == "POST" else {}
    async with serve_upstream(first(1, status("503 Service Unavailable"))) as upstream:
        response = await declare(upstream.url).request(method, "/", headers=key, content=b"[1]")
    assert response.status_code == 200
    assert len(upstream.calls) == 2
    assert len(pauses) == 1


async def test_body_that_is_read_while_it_is_sent_is_sent_once(pauses: list[float]) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"[1]"

    async with serve_upstream(status("503 Service Unavailable")) as upstream:
        response = await declare(upstream.url).put("/", content=pieces())
    assert response.status_code == 503
    assert [call.head[:4] for call in upstream.calls].count("PUT ") == 1
    assert not pauses


async def test_streamed_answer_is_not_retried(pauses: list[float]) -> None:
    async with (
        serve_upstream(status("503 Service Unavailable")) as upstream,
        declare(upstream.url).stream("GET", "/") as response,
    ):
        assert response.status_code == 503
        assert await response.aread() == b"{}"
    assert len(upstream.calls) == 1
    assert not pauses


async def test_timeout_is_not_retried(pauses: list[float]) -> None:
    async with serve_upstream(Call.closed) as upstream:
        with pytest.raises(httpx.ReadTimeout):
            await declare(upstream.url, timeout=0.1).get("/")
    assert len(upstream.calls) == 1
    assert not pauses


@pytest.mark.parametrize("retries", [0, 1, 5])
async def test_last_answer_counts_when_the_retries_are_used_up(
    retries: int, pauses: list[float]
) -> None:
    statuses = iter([503] * retries + [500])

    async def answer(call: Call) -> None:
        await call.reply(b"", f"{next(statuses)} No")

    async with serve_upstream(answer) as upstream:
        response = await declare(upstream.url, retries=retries).get("/")
    assert response.status_code == 500
    assert len(upstream.calls) == retries + 1
    assert len(pauses) == retries


async def broken() -> bytes:
    raise httpx.ReadError("Cut off.")


async def test_back_off_doubles_up_to_a_bound(pauses: list[float]) -> None:
    with pytest.raises(httpx.ReadError):
        await persist(broken, limit=8)
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def in_an_hour() -> str:
    return http_date(time() + 3600)


async def test_retry_after_is_waited_for_and_then_the_back_off(pauses: list[float]) -> None:
    busy = status("503 Service Unavailable", "Retry-After: 7")
    async with serve_upstream(first(2, busy)) as upstream:
        await declare(upstream.url).get("/")
    assert pauses == [7.1, 7.2]


async def test_retry_after_may_be_a_date(pauses: list[float]) -> None:
    busy = status("429 Too Many Requests", f"Retry-After: {in_an_hour()}")
    async with serve_upstream(first(1, busy)) as upstream:
        await declare(upstream.url).get("/")
    (pause,) = pauses
    assert 3000 < pause < 3601


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-5",
        "1.5",
        "soon",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 99 Nov 9999 08:49:37 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
    ],
)
async def test_retry_after_that_asks_for_nothing(text: str, pauses: list[float]) -> None:
    busy = status("503 Service Unavailable", f"Retry-After: {text}")
    async with serve_upstream(first(1, busy)) as upstream:
        await declare(upstream.url).get("/")
    assert pauses == [0.1]


@pytest.mark.parametrize("text", ["3600", "9" * 400, in_an_hour()], ids=["seconds", "more", "date"])
async def test_retry_after_beyond_the_deadline_ends_the_call(
    text: str, pauses: list[float]
) -> None:
    busy = status("503 Service Unavailable", f"Retry-After: {text}")
    async with serve_upstream(busy) as upstream:
        with deadline(60):
            response = await declare(upstream.url).get("/")
    assert response.status_code == 503
    assert len(upstream.calls) == 1
    assert not pauses


async def test_back_off_beyond_the_deadline_ends_the_call(pauses: list[float]) -> None:
    with deadline(0.05), pytest.raises(httpx.ReadError):
        await persist(broken)
    assert not pauses


@pytest.mark.usefixtures("pauses")
async def test_dead_server_gets_a_tenth_more_calls_and_the_burst() -> None:
    async with serve_upstream(status("503 Service Unavailable")) as upstream:
        prices = declare(upstream.url, breaker=Breaker(percent=0))
        for _ in range(100):
            await prices.get("/")
    assert 110 <= len(upstream.calls) <= 120


async def test_open_circuit_is_not_retried(pauses: list[float]) -> None:
    async def call() -> bytes:
        raise CircuitOpenError("No.")

    with pytest.raises(CircuitOpenError):
        await persist(call)
    assert not pauses


@pytest.mark.parametrize("outcome", ["error", "answer"])
async def test_circuit_that_opens_meanwhile_ends_the_retries(
    monkeypatch: pytest.MonkeyPatch, outcome: str
) -> None:
    circuit = Circuit("prices", Breaker())

    async def sleep(_: float) -> None:
        circuit.state = State.OPEN

    async def call() -> httpx.Response:
        if outcome == "error":
            raise httpx.ConnectError("No connection.")
        return httpx.Response(503)

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)
    retries = Retries(2, circuit)
    for _ in range(2):
        if outcome == "error":
            with pytest.raises(httpx.ConnectError):
                await retries.call(call)
        else:
            assert (await retries.call(call)).status_code == 503
    assert retries.budget.withdrawn == 1  # The second call began with an open circuit.


async def test_pause_ends_when_the_caller_is_cancelled() -> None:
    failed = asyncio.Event()

    async def fail(call: Call) -> None:
        await call.reply(b"", "503 Service Unavailable", "Retry-After: 50")
        failed.set()

    async with serve_upstream(fail) as upstream:
        caller = asyncio.create_task(declare(upstream.url).get("/"))
        await failed.wait()
        await upstream.all_closed.wait()  # The call is over.
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
    assert len(upstream.calls) == 1

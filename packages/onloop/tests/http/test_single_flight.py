import asyncio
import gzip
import traceback
from collections.abc import AsyncIterator, Callable, Mapping
from contextvars import ContextVar
from typing import Any

import pytest
from opentelemetry import trace
from pytest_django import Settings
from structlog.contextvars import get_contextvars

from onloop.http._httpx import (
    AsyncBaseTransport,
    ByteStream,
    ConnectError,
    ReadTimeout,
    Request,
    Response,
)
from onloop.http.deadline import deadline, time_left
from onloop.http.exceptions import DeadlineExceeded, describe
from onloop.http.single_flight import SingleFlightTransport
from onloop.http.wires import open_wire
from onloop.observe.correlation import Correlation, outgoing_headers
from onloop.testing import Call, Upstream
from tests.http.layers import Layer, Streamed, get


class Gate(Layer):
    """Answers when it is opened. `entered` is set when a request has come."""

    def __init__(self, outcome: Callable[[Request], Response]) -> None:
        super().__init__(self._wait)
        self.open = asyncio.Event()
        self.entered = asyncio.Event()
        self.cancelled = 0
        self._outcome = outcome

    async def _wait(self, request: Request) -> Response:
        self.entered.set()
        try:
            await self.open.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self._outcome(request)


def ok(_: Request) -> Response:
    return Response(200, headers={"X-Number": "1"}, content=b"ok")


class Buffered(AsyncBaseTransport):
    """A wire whose answers are read, as they are below a single-flight."""

    def __init__(self) -> None:
        self.wire = open_wire()

    async def handle_async_request(self, request: Request) -> Response:
        response = await self.wire.handle_async_request(request)
        body = await response.aread()
        await response.aclose()
        return Response(response.status_code, headers=response.headers, stream=ByteStream(body))


@pytest.fixture
async def wire() -> AsyncIterator[Buffered]:
    buffered = Buffered()
    yield buffered
    await buffered.wire.aclose()


async def start(flights: SingleFlightTransport, *requests: Request) -> list[asyncio.Task[Response]]:
    """Make the requests, and return their tasks when they wait for the layer below."""
    tasks = [asyncio.create_task(flights.handle_async_request(request)) for request in requests]
    await asyncio.sleep(0)  # The first step of each task leads there.
    return tasks


class TestRealServer:
    async def test_identical_requests_are_one_call(
        self, upstream: Upstream, wire: Buffered
    ) -> None:
        all_here = asyncio.Event()

        async def answer(call: Call) -> None:
            await all_here.wait()
            await call.reply(b"hello")

        upstream.answer = answer
        flights = SingleFlightTransport(wire)
        requests = [get(upstream.url, Authorization="Bearer ada") for _ in range(50)]
        tasks = await start(flights, *requests)
        all_here.set()

        responses = await asyncio.gather(*tasks)
        assert [await response.aread() for response in responses] == [b"hello"] * 50
        assert [response.request for response in responses] == requests
        assert len(upstream.calls) == 1
        assert flights.joined == 49

    async def test_credentials_are_never_shared(self, upstream: Upstream, wire: Buffered) -> None:
        async def answer(call: Call) -> None:
            await call.reply(call.headers["authorization"].encode())

        upstream.answer = answer
        flights = SingleFlightTransport(wire)
        requests = [get(upstream.url, Authorization=f"Bearer {number}") for number in range(50)]

        responses = await asyncio.gather(*await start(flights, *requests))
        for request, response in zip(requests, responses, strict=True):
            await response.aread()
            assert response.text == request.headers["Authorization"]
        assert len(upstream.calls) == 50
        assert flights.joined == 0


async def calls_of(*requests: Request) -> int:
    """How many calls are made of requests that are in flight at the same time."""
    gate = Gate(ok)
    tasks = await start(SingleFlightTransport(gate), *requests)
    gate.open.set()
    await asyncio.gather(*tasks)
    return len(gate.requests)


class TestIdentical:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (get(), get()),
            (get(User_Agent="a"), get(User_Agent="b")),
            (get(X_Request_ID="a"), get()),
            (get(X_Correlation_ID="a"), get(X_Correlation_ID="b")),
            (get(traceparent="a", tracestate="a"), get(Traceparent="b")),
            (get(b3="a"), get(X_B3_TraceId="b", X_B3_SpanId="b")),
            (get(Accept="a", Accept_Language="b"), get(accept_language="b", accept="a")),
        ],
    )
    async def test_are_one_call(self, one: Request, other: Request) -> None:
        assert await calls_of(one, other) == 1

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (get(), Request("HEAD", "http://prices.example/")),
            (get(), get("http://prices.example/?page=2")),
            (get(), get("https://prices.example/")),
            (get(), get("http://ada:secret@prices.example/")),
            (get("http://ada:1@prices.example/"), get("http://ada:2@prices.example/")),
            (get(), get(Host="other.example")),
            (get(Authorization="a"), get(Authorization="b")),
            (get(Authorization="a"), get()),
            (get(Cookie="a"), get(Cookie="b")),
            (get(Proxy_Authorization="a"), get(Proxy_Authorization="b")),
            (get(X_Api_Key="a"), get(X_Api_Key="b")),
            (get(baggage="user=1"), get(baggage="user=2")),
            (get(Accept="text/html"), get(Accept="application/json")),
            (get(Range="bytes=0-9"), get()),
            (
                Request("GET", "http://prices.example/", headers=[("A", "1"), ("A", "2")]),
                Request("GET", "http://prices.example/", headers=[("A", "2"), ("A", "1")]),
            ),
            (
                Request("GET", "http://prices.example/", extensions={"timeout": {"read": 1.0}}),
                Request("GET", "http://prices.example/", extensions={"timeout": {"read": 2.0}}),
            ),
        ],
    )
    async def test_different_ones_are_not(self, one: Request, other: Request) -> None:
        assert await calls_of(one, other) == 2

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Request("POST", "http://prices.example/"),
            lambda: Request("DELETE", "http://prices.example/"),
            lambda: Request("GET", "http://prices.example/", content=b"query"),
            lambda: Request("GET", "http://prices.example/", stream=ByteStream(b"query")),
            lambda: Request("GET", "http://prices.example/", stream=Streamed()),
            lambda: Request("GET", "http://prices.example/", extensions={"stream": True}),
        ],
    )
    async def test_others_pass_by(self, make: Callable[[], Request]) -> None:
        assert await calls_of(make(), make()) == 2

    async def test_redirected_one_has_no_body(self) -> None:
        # httpx passes on the stream of the first request.
        requests = [Request("GET", "http://prices.example/", stream=get().stream) for _ in range(2)]
        assert await calls_of(*requests) == 1

    async def test_later_one_is_a_call_of_its_own(self) -> None:
        gate = Gate(ok)
        gate.open.set()
        flights = SingleFlightTransport(gate)
        for _ in range(2):
            await flights.handle_async_request(get())
        assert len(gate.requests) == 2


class TestAnswer:
    async def test_is_each_callers_own(self) -> None:
        gate = Gate(ok)
        requests = [get(), get()]
        tasks = await start(SingleFlightTransport(gate), *requests)
        gate.open.set()
        one, other = await asyncio.gather(*tasks)

        one.headers["X-Number"] = "2"
        one.extensions["mine"] = True
        assert other.headers["X-Number"] == "1"
        assert "mine" not in other.extensions
        assert [one.request, other.request] == requests
        assert one.content == other.content == b"ok"
        assert one.content is other.content  # Bytes have no state to share.

    async def test_of_a_single_caller_is_passed_through(self) -> None:
        response = ok(get())
        gate = Gate(lambda _: response)
        gate.open.set()
        assert await SingleFlightTransport(gate).handle_async_request(get()) is response

    async def test_in_a_coding_is_decoded_for_each(self) -> None:
        body = gzip.compress(b"hello")
        gate = Gate(lambda _: Response(200, headers={"Content-Encoding": "gzip"}, content=body))
        tasks = await start(SingleFlightTransport(gate), get(), get())
        gate.open.set()
        assert [response.text for response in await asyncio.gather(*tasks)] == ["hello"] * 2

    async def test_that_is_streamed_goes_to_one_and_the_others_call_themselves(self) -> None:
        gate = Gate(lambda _: Response(200, stream=Streamed()))
        tasks = await start(SingleFlightTransport(gate), get(), get(), get())
        gate.open.set()
        responses = await asyncio.gather(*tasks)
        assert len(gate.requests) == 3
        assert len({response.stream for response in responses}) == 3


class TestError:
    async def test_is_raised_anew_for_each(self) -> None:
        def refuse(request: Request) -> Response:
            cause = OSError("connection refused")
            raise ConnectError("No connection.", request=request) from cause

        gate = Gate(refuse)
        requests = [get() for _ in range(5)]
        tasks = await start(SingleFlightTransport(gate), *requests)
        gate.open.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)

        assert len({id(error) for error in errors}) == 5
        for error, request in zip(errors, requests, strict=True):
            assert isinstance(error, ConnectError)
            assert error.request is request
            assert describe(error) == "No connection, caused by OSError: connection refused"
            frames = [frame.name for frame in traceback.extract_tb(error.__traceback__)]
            assert frames.count("refuse") == 1
            assert frames.count("answer") == 1

    async def test_of_a_class_with_other_arguments_is_raised_too(self) -> None:
        class StaleError(ReadTimeout):
            def __init__(self, *, seconds: float) -> None:
                super().__init__(f"No answer for {seconds} s.")
                self.seconds = seconds

        def fail(_: Request) -> Response:
            raise StaleError(seconds=3.5)

        gate = Gate(fail)
        tasks = await start(SingleFlightTransport(gate), get(), get())
        gate.open.set()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(error, StaleError)
            assert str(error) == "No answer for 3.5 s."
            assert error.seconds == 3.5

    async def test_defect_reaches_each(self) -> None:
        def broken(_: Request) -> Response:
            raise ZeroDivisionError

        gate = Gate(broken)
        tasks = await start(SingleFlightTransport(gate), get(), get())
        gate.open.set()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(error, ZeroDivisionError)


class TestCancellation:
    async def test_of_the_first_caller_does_not_fail_the_others(self) -> None:
        gate = Gate(ok)
        first, *others = await start(SingleFlightTransport(gate), get(), get(), get())
        await gate.entered.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        gate.open.set()
        assert [response.content for response in await asyncio.gather(*others)] == [b"ok"] * 2
        assert len(gate.requests) == 1

    async def test_of_all_ends_the_call_before_the_last_one_ends(self) -> None:
        gate = Gate(ok)
        tasks = await start(SingleFlightTransport(gate), get(), get())
        await gate.entered.wait()
        for task in tasks:
            assert gate.cancelled == 0
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert gate.cancelled == 1
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def test_request_during_it_is_a_call_of_its_own(self) -> None:
        cancelling, may_end = asyncio.Event(), asyncio.Event()

        async def slow_to_end(request: Request) -> Response:
            if len(layer.requests) > 1:
                return ok(request)
            try:
                return await asyncio.Event().wait() and ok(request)
            finally:
                cancelling.set()
                await may_end.wait()

        layer = Layer(slow_to_end)
        flights = SingleFlightTransport(layer)
        (first,) = await start(flights, get())
        await asyncio.sleep(0)
        first.cancel()
        await cancelling.wait()
        second = await flights.handle_async_request(get())
        assert second.status_code == 200
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert len(layer.requests) == 2

    async def test_when_a_streamed_answer_has_come_closes_it(self) -> None:
        stream = Streamed()
        task: asyncio.Task[Response]

        async def answer(_: Request) -> Response:
            task.cancel()
            return Response(200, stream=stream)

        (task,) = await start(SingleFlightTransport(Layer(answer)), get())
        with pytest.raises(asyncio.CancelledError):
            await task
        assert stream.closed

    async def test_leaves_a_streamed_answer_to_those_who_have_it(self) -> None:
        stream = Streamed()
        tasks: list[asyncio.Task[Response]] = []

        async def answer(_: Request) -> Response:
            # The first has its answer when the second is cancelled.
            tasks[0].add_done_callback(lambda _: tasks[1].cancel())
            return Response(200, stream=stream)

        layer = Layer(answer)
        tasks += await start(SingleFlightTransport(layer), get(), get())
        assert (await tasks[0]).stream is stream
        await asyncio.wait(tasks)
        assert not stream.closed

    async def test_of_the_call_by_others_reaches_the_callers(self) -> None:
        async def answer(_: Request) -> Response:
            raise asyncio.CancelledError

        tasks = await start(SingleFlightTransport(Layer(answer)), get(), get())
        await asyncio.wait(tasks)
        assert all(task.cancelled() for task in tasks)

    async def test_error_that_nobody_waits_for_is_no_warning(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        async def answer(_: Request) -> Response:
            try:
                return await asyncio.Event().wait() and ok(get())
            except asyncio.CancelledError as error:
                raise ConnectError("Interrupted.") from error

        layer = Layer(answer)
        (task,) = await start(SingleFlightTransport(layer), get())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        assert not caplog.records


class TestDeadline:
    async def test_ends_only_the_wait_of_its_caller(self) -> None:
        gate = Gate(ok)
        flights = SingleFlightTransport(gate)
        with deadline(0.001):
            (hasty,) = await start(flights, get())
        (patient,) = await start(flights, get())
        with pytest.raises(DeadlineExceeded):
            await hasty
        gate.open.set()
        assert (await patient).content == b"ok"
        assert len(gate.requests) == 1

    async def test_of_the_last_caller_ends_the_call(self) -> None:
        gate = Gate(ok)
        with deadline(0.001), pytest.raises(DeadlineExceeded):
            await SingleFlightTransport(gate).handle_async_request(get())
        assert gate.cancelled == 1


secret: ContextVar[str] = ContextVar("secret", default="")


async def receive() -> Mapping[str, Any]:
    raise AssertionError


async def send(_: Mapping[str, Any]) -> None:
    raise AssertionError


class TestContext:
    async def test_of_the_call_has_the_ids_of_the_first_caller_and_nothing_else(self) -> None:
        seen: dict[str, object] = {}

        async def answer(request: Request) -> Response:
            seen.update(
                headers=outgoing_headers(),
                log=get_contextvars(),
                left=time_left(),
                secret=secret.get(),
            )
            return ok(request)

        async def view(*_: object) -> None:
            secret.set("of ada")
            with deadline(60):
                await SingleFlightTransport(Layer(answer)).handle_async_request(get())

        traceparent = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
        headers = [(b"x-request-id", b"id-of-ada"), (b"traceparent", traceparent.encode())]
        await Correlation(view)({"type": "http", "headers": headers}, receive, send)
        assert seen == {
            "headers": {"X-Request-ID": "id-of-ada", "traceparent": traceparent},
            "log": {"request_id": "id-of-ada", "trace_id": "a" * 32},
            "left": None,
            "secret": "",
        }

    async def test_of_the_call_has_the_span_of_the_first_caller(self, settings: Settings) -> None:
        settings.TRACING = True
        seen: list[trace.Span] = []

        async def answer(request: Request) -> Response:
            seen.append(trace.get_current_span())
            return ok(request)

        context = trace.SpanContext(1, 2, is_remote=False)
        with trace.use_span(trace.NonRecordingSpan(context)):
            await SingleFlightTransport(Layer(answer)).handle_async_request(get())
        assert seen[0].get_span_context() is context


async def test_closing_closes_the_layer_below() -> None:
    layer = Gate(ok)
    await SingleFlightTransport(layer).aclose()
    assert layer.closed

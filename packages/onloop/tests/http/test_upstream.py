"""Upstreams against real servers: every concern at once, as a project uses them."""

import asyncio
import base64
import json
from contextlib import nullcontext
from itertools import chain, cycle, repeat
from random import Random

import httpx
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from onloop.http import (
    BodyQuota,
    BodyTooLarge,
    Breaker,
    BulkheadFull,
    Cache,
    CircuitOpenError,
    DeadlineExceeded,
    ForeignURLError,
    QuotaExceeded,
    Upstream,
    deadline,
    shared_http_client,
    upstreams,
)
from onloop.http.budget import Budget
from onloop.testing import Call, serve_upstream
from tests.http.calls import broken, closed_port, declare, hello


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sleep(_: float) -> None:
        await asyncio.sleep(0)

    monkeypatch.setattr("onloop.http.retry.sleep", sleep)


class TestDeclaration:
    @pytest.mark.parametrize("name", ["", "Prices", "9prices", "a b", "a/b", "x" * 64])
    def test_name_must_be_plain(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"^The name of an upstream is .*, but it must be "):
            declare("http://prices.example/", name)

    @pytest.mark.parametrize(
        "url", ["", "prices", "/v1", "ftp://a.example/", "http://", "http://\x00"]
    )
    def test_base_url_must_be_absolute(self, url: str) -> None:
        with pytest.raises(ValueError, match=r"^base_url=.* of prices, but it must be an absolute"):
            declare(url)

    def test_name_is_taken_once(self) -> None:
        declare("http://prices.example/")
        with pytest.raises(ValueError, match=r"^There are two upstreams with the name 'prices'"):
            declare("http://other.example/")

    def test_all_are_known(self) -> None:
        prices, stock = (declare("http://a.example/", name) for name in ("prices", "stock"))
        assert [*upstreams()][-2:] == [prices, stock]

    def test_secrets_are_in_no_repr(self) -> None:
        prices = declare(
            "https://ada:hunter2@prices.example/",
            headers={"Authorization": "Bearer hunter2"},
            auth=("ada", "hunter2"),
        )
        assert repr(prices) == "<Upstream prices>"
        assert "hunter2" not in repr([prices, prices.transport, prices.stack, prices.figures()])


@pytest.mark.usefixtures("wire")
class TestCalls:
    async def test_post_with_token_and_json(self) -> None:
        async with serve_upstream(echoed_body) as server:
            prices = declare(server.url, headers={"Authorization": "Bearer hunter2"})
            response = await prices.post("/quote", json={"sku": 7}, params={"currency": "EUR"})
        assert response.json() == {"sku": 7}
        (call,) = server.calls
        assert call.head.startswith("POST /quote?currency=EUR HTTP/1.1\r\n")
        assert call.headers["authorization"] == "Bearer hunter2"
        assert call.headers["content-type"] == "application/json"

    async def test_base_url_may_be_found_late_and_have_a_path(self) -> None:
        async with serve_upstream(hello) as server:
            prices = Upstream("prices", base_url=lambda: f"{server.url}v1")
            await prices.get("items/3")
            await prices.get("/items/4")
        assert [call.target for call in server.calls] == ["/v1/items/3", "/v1/items/4"]

    async def test_credentials_of_the_url_are_sent_and_in_no_error(self) -> None:
        async with serve_upstream(broken) as server:
            prices = declare(server.url.replace("//", "//ada:hunter%402@"), retries=0)
            response = await prices.get("/")
            with pytest.raises(httpx.HTTPStatusError) as caught:
                response.raise_for_status()
        assert "hunter" not in f"{caught.value!r} {response.request!r} {response.url}"
        (call,) = server.calls
        basic = base64.b64encode(b"ada:hunter@2").decode()
        assert call.headers["authorization"] == f"Basic {basic}"

    async def test_dead_one(self) -> None:
        dead = declare(f"http://127.0.0.1:{closed_port()}/", retries=0)
        with pytest.raises(httpx.ConnectError) as caught:
            await dead.get("/")
        assert caught.value.request.url.path == "/"

    async def test_another_server_gets_nothing(self) -> None:
        async with serve_upstream(hello) as server, serve_upstream(hello) as other:
            prices = declare(server.url, headers={"X-Api-Key": "secret"})
            with pytest.raises(ForeignURLError, match=r"is not the server of the upstream prices"):
                await prices.get(other.url)
        assert not other.calls

    async def test_redirect_to_another_server_is_not_followed(self) -> None:
        async def redirect(call: Call) -> None:
            await call.reply(b"", "307 Temporary Redirect", f"Location: {other.url}")

        async with serve_upstream(redirect) as server, serve_upstream(hello) as other:
            prices = declare(server.url, follow_redirects=True, headers={"X-Api-Key": "secret"})
            with pytest.raises(ForeignURLError):
                await prices.get("/")
        assert not other.calls

    async def test_redirects_are_followed_where_it_says_so(self) -> None:
        async def redirect(call: Call) -> None:
            if call.target == "/old":
                await call.reply(b"", "301 Moved Permanently", "Location: /new")
            else:
                await hello(call)

        async with serve_upstream(redirect) as server:
            assert (await declare(server.url).get("/old")).status_code == 301
            follower = declare(server.url, "follower", follow_redirects=True)
            assert (await follower.get("/old")).json() == "hello"

    async def test_cookies_are_not_kept(self) -> None:
        async def answer(call: Call) -> None:
            await call.reply(b"{}", "200 OK", "Set-Cookie: session=ada")

        async with serve_upstream(answer) as server:
            prices = declare(server.url)
            for _ in range(2):
                await prices.get("/")
        assert all("cookie" not in call.headers for call in server.calls)

    async def test_it_needs_no_block_and_outlives_one(self) -> None:
        async with serve_upstream(hello) as server:
            prices = declare(server.url)
            async with prices as same:
                assert same is prices
            await prices.aclose()
            assert (await prices.get("/")).json() == "hello"

    async def test_client_of_an_sdk_has_the_same_concerns(self) -> None:
        async with serve_upstream(broken) as server:
            prices = declare(server.url, retries=0)
            headers = {"Accept-Encoding": "br, zstd"}
            async with httpx.AsyncClient(transport=prices.transport, headers=headers) as sdk:
                for _ in range(20):
                    assert (await sdk.get(server.url)).status_code == 500
                with pytest.raises(CircuitOpenError):
                    await sdk.get(server.url)
        assert server.calls[0].headers["accept-encoding"] == "gzip, deflate"

    async def test_client_of_an_sdk_may_stream_events(self) -> None:
        async def answer(call: Call) -> None:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            await call.send(head + b"data: 1\n\n")
            await call.closed()

        async with serve_upstream(answer) as server, shared_http_client():
            prices = declare(server.url)
            client = httpx.AsyncClient(transport=prices.transport)
            async with client, client.stream("GET", server.url) as response:
                lines = response.aiter_lines()
                assert await anext(lines) == "data: 1"
                assert prices.figures().in_flight == 1
            assert prices.figures().in_flight == 0
            await server.all_closed.wait()


async def echoed_body(call: Call) -> None:
    await call.reply(await call.reader.readexactly(int(call.headers["content-length"])))


class TestDeadline:
    async def test_each_attempt_tells_what_is_left(self) -> None:
        answers = chain([broken], repeat(hello))

        async def answer(call: Call) -> None:
            await next(answers)(call)

        async with serve_upstream(answer) as server:
            stock = declare(server.url, deadline_header="X-Deadline-Ms")
            with deadline(30):
                await stock.get("/")
        first, second = (int(call.headers["x-deadline-ms"]) for call in server.calls)
        assert 30_000 >= first > second > 0

    async def test_call_ends_with_it(self) -> None:
        async with serve_upstream(Call.closed) as server:
            with deadline(0.05), pytest.raises(DeadlineExceeded):
                await declare(server.url).get("/")


class TestMock:
    async def test_wire_is_replaced_and_nothing_else(self) -> None:
        prices = declare("https://prices.example/", retries=0)
        mock = httpx.MockTransport(lambda request: httpx.Response(503, json={}))
        with prices.mock(mock):
            for _ in range(20):
                assert (await prices.get("/")).status_code == 503
            with pytest.raises(CircuitOpenError):
                await prices.get("/")

    async def test_bodies_of_a_fan_out_come_from_it_too(self) -> None:
        prices = declare("https://prices.example/")
        mock = httpx.MockTransport(lambda request: httpx.Response(200, json=request.url.path))
        with prices.mock(mock):
            body = await prices.get_body("https://prices.example/1", timeout=1, max_bytes=100)
        assert json.loads(body) == "/1"


@pytest.mark.usefixtures("wire")
@pytest.mark.parametrize("way", ["short", "whole"])
class TestBodies:
    """`get_body()` is the same on its short way and through all transports."""

    def declare(self, url: str, way: str) -> Upstream:
        return declare(url, retries=0, coalesce=way == "whole")

    async def test_body(self, way: str) -> None:
        async with serve_upstream(hello) as server:
            prices = self.declare(server.url, way)
            assert await prices.get_body(server.url, timeout=30, max_bytes=7) == b'"hello"'
            async with shared_http_client():
                assert await prices.get_body(server.url, timeout=30, max_bytes=7) == b'"hello"'

    async def test_headers_are_sent(self, way: str) -> None:
        async with serve_upstream(hello) as server:
            headers = {"Authorization": "Bearer hunter2"}
            prices = declare(server.url, headers=headers, coalesce=way == "whole")
            await prices.get_body(server.url, timeout=30, max_bytes=100)
        assert server.calls[0].headers["authorization"] == "Bearer hunter2"

    async def test_failing_status(self, way: str) -> None:
        async with serve_upstream(broken) as server:
            prices = self.declare(server.url, way)
            for _ in range(20):
                with pytest.raises(httpx.HTTPStatusError, match=r"^The server .* status 500\.$"):
                    await prices.get_body(server.url, timeout=30, max_bytes=100)
            with pytest.raises(CircuitOpenError):
                await prices.get_body(server.url, timeout=30, max_bytes=100)
        assert len(server.calls) == 20

    async def test_transient_failure_is_repeated_and_slow_calls_are_hedged(
        self, way: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        monkeypatch.setattr("onloop.http.retry.sleep", sleep)

        async def busy(call: Call) -> None:
            await call.reply(b"", "503 Service Unavailable", "Retry-After: 7")

        async def answer(call: Call) -> None:
            await next(answers)(call)

        answers = chain([busy], repeat(hello))
        async with serve_upstream(answer) as server:
            prices = declare(server.url, retries=1, hedge=True, coalesce=way == "whole")
            assert await prices.get_body(server.url, timeout=30, max_bytes=7) == b'"hello"'
        assert len(server.calls) == 2
        assert [int(pause) for pause in pauses] == [7]

    async def test_too_large_a_body(self, way: str) -> None:
        async with serve_upstream(hello) as server:
            prices = self.declare(server.url, way)
            with pytest.raises(BodyTooLarge, match=r"^The server's answer is larger than 6 bytes"):
                await prices.get_body(server.url, timeout=30, max_bytes=6)

    async def test_quota(self, way: str) -> None:
        quota = BodyQuota(10)
        async with serve_upstream(hello) as server:
            prices = self.declare(server.url, way)
            await prices.get_body(server.url, timeout=30, max_bytes=100, quota=quota)
            with pytest.raises(QuotaExceeded):
                await prices.get_body(server.url, timeout=30, max_bytes=100, quota=quota)

    async def test_timeout(self, way: str) -> None:
        async with serve_upstream(Call.closed) as server:
            prices = self.declare(server.url, way)
            with pytest.raises(httpx.ReadTimeout, match=r"^The server did not answer within 0\.1"):
                await prices.get_body(server.url, timeout=0.1, max_bytes=100)


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


class TestBreaker:
    async def test_open_circuit_answers_at_once(self) -> None:
        async with serve_upstream(broken) as server, shared_http_client():
            prices = declare(server.url, retries=0)
            for _ in range(20):
                assert (await prices.get("/")).status_code == 500
            with pytest.raises(CircuitOpenError):
                await prices.get("/")
        assert len(server.calls) == 20
        assert prices.figures().circuit == "open"

    async def test_each_upstream_has_a_circuit_of_its_own(self) -> None:
        dead = declare(f"http://127.0.0.1:{closed_port()}/", "dead", retries=0)
        async with serve_upstream(hello) as server, shared_http_client():
            for _ in range(20):
                with pytest.raises(httpx.ConnectError):
                    await dead.get("/")
            with pytest.raises(CircuitOpenError):
                await dead.get("/")
            assert (await declare(server.url).get("/")).json() == "hello"

    @pytest.mark.usefixtures("no_pauses")
    async def test_a_few_bad_items_leave_the_circuit_closed(self) -> None:
        """Four bad items of sixteen are a quarter of the calls, however often they are repeated."""

        async def answer(call: Call) -> None:
            await (broken if call.target in {"/0", "/1", "/2", "/3"} else hello)(call)

        async with serve_upstream(answer) as server, shared_http_client():
            catalog = declare(server.url, "catalog", retries=5)
            for _ in range(100):
                answers = await asyncio.gather(*(catalog.get(f"/{item}") for item in range(16)))
                assert [answer.status_code for answer in answers] == [500] * 4 + [200] * 12
            assert catalog.figures().circuit == "closed"

    @pytest.mark.usefixtures("no_pauses")
    async def test_call_that_a_retry_saves_is_a_success(self) -> None:
        turns = cycle([broken, hello])

        async def answer(call: Call) -> None:
            await next(turns)(call)

        async with serve_upstream(answer) as server, shared_http_client():
            prices = declare(server.url, retries=1)
            prices.stack.retries.budget = Budget(1, 100, full=True)
            for _ in range(40):
                assert (await prices.get("/")).json() == "hello"
        assert len(server.calls) == 80
        assert prices.figures().retries == 40
        assert prices.figures().circuit == "closed"

    @pytest.mark.usefixtures("no_pauses")
    @pytest.mark.parametrize("saved", [True, False])
    async def test_probe_may_be_repeated_and_its_outcome_decides(
        self, monkeypatch: pytest.MonkeyPatch, *, saved: bool
    ) -> None:
        now = 0.0
        monkeypatch.setattr("onloop.http.breaker.monotonic", lambda: now)
        answers = chain([broken] * 21, repeat(hello if saved else broken))

        async def answer(call: Call) -> None:
            await next(answers)(call)

        async with serve_upstream(answer) as server, shared_http_client():
            prices = declare(server.url, retries=1, breaker=Breaker(seconds=7.0))
            prices.stack.retries.budget = Budget(0, 1, full=True)
            prices.stack.retries.limit = 0
            for _ in range(20):
                await prices.get("/")
            now = 7.0
            prices.stack.retries.limit = 1
            assert (await prices.get("/")).status_code == (200 if saved else 500)
        assert prices.figures().circuit == ("closed" if saved else "open")
        assert len(server.calls) == 22

    async def test_it_may_be_kept_closed(self) -> None:
        async with serve_upstream(broken) as server, shared_http_client():
            prices = declare(server.url, retries=0, breaker=Breaker(percent=0))
            for _ in range(40):
                await prices.get("/")
        assert len(server.calls) == 40

    @pytest.mark.django_db
    @pytest.mark.parametrize("metrics", [False, True])
    async def test_open_circuit_leaves_the_process_ready_and_is_shown_to_no_stranger(
        self, settings: Settings, *, metrics: bool
    ) -> None:
        settings.METRICS = metrics
        async with serve_upstream(broken) as server, shared_http_client():
            prices = declare(server.url, retries=0)
            for _ in range(20):
                await prices.get("/")
        response = await AsyncClient().get("/readyz")
        assert response.status_code == 200
        ready = response.json()
        shown = ready.pop("upstreams", {}).get("prices", {}).get("circuit")
        assert shown == ("open" if metrics else None)
        assert ready == {"status": "ok", "parts": {"database": "ok"}}


class TestSettings:
    @pytest.mark.parametrize("retries", [0, 3])
    @pytest.mark.usefixtures("no_pauses")
    async def test_retries(self, settings: Settings, retries: int) -> None:
        settings.HTTP_RETRIES = retries
        async with serve_upstream(broken) as server:
            await declare(server.url).get("/")
        assert len(server.calls) == 1 + retries

    @pytest.mark.parametrize("percent", [0, 50])
    async def test_breaker(self, settings: Settings, percent: int) -> None:
        settings.HTTP_RETRIES = 0
        settings.HTTP_BREAKER_PERCENT = percent
        async with serve_upstream(broken) as server:
            prices = declare(server.url)
            for _ in range(20):
                await prices.get("/")
            with pytest.raises(CircuitOpenError) if percent else nullcontext():
                await prices.get("/")

    @pytest.mark.parametrize("hedging", [False, True])
    async def test_hedging(self, settings: Settings, *, hedging: bool) -> None:
        settings.HTTP_HEDGING = hedging
        slow = iter(["first copy"])
        left = asyncio.Event()

        async def hang_once(call: Call) -> None:
            if hedging and call.target == "/slow" and next(slow, None):
                await call.closed()
                left.set()
            else:
                await hello(call)

        async with serve_upstream(hang_once) as server, shared_http_client():
            prices = declare(server.url)
            for _ in range(50):
                await prices.get("/")
            assert (await prices.get("/slow")).json() == "hello"
            assert prices.figures().hedges == hedging
            if hedging:
                await left.wait()
        assert [call.target for call in server.calls].count("/slow") == 1 + hedging


class TestJoinedAndKeptAnswers:
    @pytest.mark.parametrize(("coalesce", "calls"), [(True, 1), (False, 50)])
    async def test_identical_calls_in_flight(self, *, coalesce: bool, calls: int) -> None:
        arrived = asyncio.Semaphore(0)
        go_on = asyncio.Event()

        async def answer(call: Call) -> None:
            arrived.release()
            await go_on.wait()
            await hello(call)

        async with serve_upstream(answer) as server, shared_http_client():
            prices = declare(server.url, coalesce=coalesce)
            asked = [asyncio.create_task(prices.get("/")) for _ in range(50)]
            for _ in range(calls):
                await arrived.acquire()
            go_on.set()
            answers = await asyncio.gather(*asked)
        assert [answer.json() for answer in answers] == ["hello"] * 50
        assert len(server.calls) == calls
        assert prices.figures().joined == 50 - calls

    async def test_failure_after_a_fresh_answer_is_answered_from_the_cache(self) -> None:
        answers = chain([hello], repeat(broken))

        async def answer(call: Call) -> None:
            await next(answers)(call)

        async with serve_upstream(answer) as server, shared_http_client():
            cache = Cache(fresh=0, stale_if_error=600)
            prices = declare(server.url, cache=cache, retries=0)
            for _ in range(2):
                assert (await prices.get("/")).json() == "hello"
        assert len(server.calls) == 2
        assert prices.figures().cache["stale"] == 1

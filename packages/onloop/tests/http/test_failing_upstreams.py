"""What upstreams that fail or are slow do to calls, with real servers."""

import asyncio
from contextlib import nullcontext
from itertools import chain, cycle, repeat

import httpx
import pytest
from django.test import AsyncClient
from pytest_django import Settings

from onloop.http import (
    Breaker,
    Cache,
    CircuitOpenError,
    shared_http_client,
)
from onloop.http.budget import Budget
from onloop.testing import Call, serve_upstream
from tests.http.calls import broken, closed_port, declare, hello


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

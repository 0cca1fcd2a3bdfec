import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from random import Random
from typing import Any

import pytest
import redis
from django.utils.http import http_date
from pytest_django import Settings

from onloop.http._httpx import ByteStream, Request, Response
from onloop.http.deadline import deadline
from onloop.http.exceptions import RateLimitExceeded, error_type
from onloop.http.rate import Rate, RateTransport
from onloop.redis import shared_redis
from onloop.shared_rates import SharedLine
from tests.http.calls import closed_port
from tests.http.layers import Layer, Streamed, ok
from tests.services.polling import eventually
from tests.services.proxies import proxy_of
from tests.virtual_time import run

TEN = Rate(10, 1)
ONE = Rate(1, 1)
HUNDRED = Rate(100, 1)
START = 1000.0


class Upstream(Layer):
    """Records when each request comes, in seconds since the start."""

    def __init__(self, responses: Iterable[Response] = ()) -> None:
        super().__init__(self._note)
        self.times: list[float] = []
        self._responses = iter(responses)

    async def _note(self, request: Request) -> Response:
        self.times.append(asyncio.get_running_loop().time() - START)
        await asyncio.sleep(0)  # Those that go at the same moment do so before the answer.
        return next(self._responses, None) or await ok(request)

    @property
    def names(self) -> list[str]:
        return [request.url.path.strip("/") for request in self.requests]


def named(name: object, pool: float | None = None) -> Request:
    url = f"http://prices.example/{name}"
    return Request("GET", url, extensions={} if pool is None else {"timeout": {"pool": pool}})


def call(line: RateTransport, name: object = "", pool: float | None = None) -> asyncio.Task[Any]:
    return asyncio.create_task(line.handle_async_request(named(name, pool)))


def too_many(retry_after: str = "5") -> Response:
    return Response(429, headers={"Retry-After": retry_after}, stream=ByteStream(b""))


def near(*times: float) -> object:
    return pytest.approx(times, abs=1e-4)


class TestLine:
    def test_burst_and_then_one_each_interval(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", TEN)
            await asyncio.gather(*(call(line, number) for number in range(25)))

        run(work())
        assert upstream.times == near(*[0.0] * 10, *[0.1 * n for n in range(1, 16)])
        assert upstream.names == [str(number) for number in range(25)]

    def test_burst_comes_back(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", TEN)
            for _ in range(2):
                await asyncio.gather(*(call(line) for _ in range(11)))
                await asyncio.sleep(60)

        run(work())
        assert upstream.times == near(*[0.0] * 10, 0.1, *[60.1] * 10, 60.2)

    def test_cancelled_call_lets_those_behind_it_move_up(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            calls = [call(line, name) for name in "abcd"]
            await asyncio.sleep(0.5)
            assert line.waiting == 3
            calls[1].cancel()
            await asyncio.wait(calls[1:2])
            assert line.waiting == 2
            await asyncio.gather(calls[2], calls[3])
            assert line.waiting == 0

        run(work())
        assert upstream.names == ["a", "c", "d"]
        assert upstream.times == near(0, 1, 2)

    def test_turn_that_the_last_one_leaves_goes_to_the_next_that_comes(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            calls = [call(line, name) for name in "abc"]
            await asyncio.sleep(0.5)
            for left in calls[1:]:
                left.cancel()
            await asyncio.wait(calls)
            with pytest.raises(RateLimitExceeded, match=r" have to wait 0\.5 s\.$"):
                await call(line, "hasty", pool=0.25)
            await asyncio.gather(*(call(line, name) for name in "def"))

        run(work())
        assert upstream.names == ["a", "d", "e", "f"]
        assert upstream.times == near(0, 1, 2, 3)

    def test_turn_that_nobody_takes_is_lost(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            calls = [call(line, name) for name in "abc"]
            await asyncio.sleep(0.5)
            for left in calls[1:]:
                left.cancel()
            await asyncio.wait(calls)
            await asyncio.sleep(0.75)  # The second turn is over.
            await asyncio.gather(call(line, "d"), call(line, "e"))

        run(work())
        assert upstream.times == near(0, 2, 3)

    @pytest.mark.parametrize("just", ["before", "after"])
    def test_call_that_is_cancelled_at_its_turn_passes_it_on(self, just: str) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            calls = [call(line, name) for name in "abc"]
            if just == "after":
                await asyncio.sleep(0.5)  # The timer of the turn is set before the one below.
            asyncio.get_running_loop().call_at(START + 1, calls[1].cancel)
            await asyncio.wait(calls)
            assert calls[1].cancelled()

        run(work())
        assert upstream.names == ["a", "c"]
        assert upstream.times == near(0, 1)


class TestBound:
    def test_call_whose_turn_comes_too_late_fails_without_waiting(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", Rate(6, 60))
            calls = [call(line, number) for number in range(7)]
            with pytest.raises(RateLimitExceeded) as raised:
                await call(line, "late", pool=12.0)
            message = (
                "The upstream may be called 6 times in 60 s: this call would have to wait 20.0 s."
            )
            assert str(raised.value) == message
            assert error_type(raised.value) == "rate_limited"
            assert raised.value.request.url.path == "/late"
            assert asyncio.get_running_loop().time() == START
            await call(line, "patient", pool=20.0)
            await asyncio.gather(*calls)

        run(work())
        assert upstream.times == near(*[0] * 6, 10, 20)

    def test_deadline_bounds_the_wait(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            await call(line)
            with deadline(0.99):
                hasty = call(line, pool=60.0)
            with pytest.raises(RateLimitExceeded, match=r" wait 1\.0 s\.$"):
                await hasty
            with deadline(1.01):
                await call(line, pool=60.0)

        run(work())
        assert upstream.times == near(0, 1)

    def test_no_wait_needs_no_time(self) -> None:
        upstream = Upstream()

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            await call(line, pool=0.0)
            with pytest.raises(RateLimitExceeded):
                await call(line, pool=0.0)

        run(work())
        assert upstream.times == [0]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_the_rate_holds_in_order_and_pauses_are_kept(seed: int) -> None:
    chance = Random(seed)  # noqa: S311 - the same each time
    pauses: list[tuple[float, float]] = []

    def responses() -> Iterator[Response]:
        while True:
            if chance.random() < 0.05:
                now, seconds = asyncio.get_running_loop().time() - START, chance.randint(1, 3)
                pauses.append((now, now + seconds))
                yield too_many(str(seconds))
            else:
                yield Response(200, stream=ByteStream(b"ok"))

    upstream = Upstream(responses())

    async def leave(task: asyncio.Task[Any]) -> None:
        await asyncio.sleep(chance.uniform(0, 3))
        task.cancel()

    async def work() -> None:
        line = RateTransport(upstream, "prices", Rate(5, 1))
        calls = []
        for number in range(300):
            calls.append(call(line, number, pool=chance.choice([0.0, 1.0, 5.0, 60.0])))
            if chance.random() < 0.3:
                calls.append(asyncio.create_task(leave(calls[-1])))
            await asyncio.sleep(chance.choice([0, 0, 0.05, 0.2, 1.0]))
        await asyncio.wait(calls)
        assert line.waiting == 0

    run(work())
    assert len(upstream.requests) > 50
    assert upstream.names == sorted(upstream.names, key=int)
    for first, now in enumerate(upstream.times):
        within_a_second = [time for time in upstream.times[first:] if time < now + 1 - 1e-3]
        assert len(within_a_second) <= 5 + 5
        assert not any(start < now < end - 1e-3 for start, end in pauses)


class TestPause:
    @pytest.mark.parametrize(
        ("retry_after", "first"),
        [("5", 5), ("900", 300), ("9" * 400, 300), ("0", 1), ("soon", 1), (None, 1)],
    )
    def test_nobody_is_sent_before(self, retry_after: str | None, first: float) -> None:
        refusal = Response(
            429, headers={"Retry-After": retry_after} if retry_after else {}, stream=ByteStream(b"")
        )
        upstream = Upstream([refusal])

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            calls = [call(line, number) for number in range(3)]
            assert (await calls[0]).status_code == 429
            later = call(line, 3)
            await asyncio.gather(*calls, later)

        run(work())
        # Without a pause the turns of the others come after 1, 2 and 3 s.
        extra = 0 if first == 1 else 1
        assert upstream.names == ["0", "1", "2", "3"]
        assert upstream.times == near(0, *(first + extra + n for n in range(3)))

    def test_date_is_understood(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("onloop.http.retry_after.time", lambda: 1_000_000.0)
        upstream = Upstream([too_many(http_date(1_000_007))])

        async def work() -> None:
            line = RateTransport(upstream, "prices", TEN)
            await call(line)
            await call(line)

        run(work())
        assert upstream.times == near(0, 7)

    def test_burst_does_not_follow_it(self) -> None:
        upstream = Upstream([too_many()])

        async def work() -> None:
            line = RateTransport(upstream, "prices", TEN)
            await call(line)
            await asyncio.gather(*(call(line) for _ in range(3)))

        run(work())
        assert upstream.times == near(0, 5, 5.1, 5.2)

    def test_calls_that_are_refused_together_pause_once(self) -> None:
        upstream = Upstream(too_many() for _ in range(3))

        async def work() -> None:
            line = RateTransport(upstream, "prices", Rate(3, 1))
            await asyncio.gather(*(call(line) for _ in range(4)))

        run(work())
        assert upstream.times == near(0, 0, 0, 5 + 1 / 3)

    def test_calls_in_line_whose_turn_becomes_too_late_fail_when_the_first_learns_of_it(
        self,
    ) -> None:
        upstream = Upstream([too_many()])

        async def work() -> None:
            line = RateTransport(upstream, "prices", ONE)
            pools = {"refused": 0.0, "a": 60.0, "b": 2.5, "c": 60.0, "d": 60.0}
            calls = {name: call(line, name, pool) for name, pool in pools.items()}
            with pytest.raises(RateLimitExceeded):
                await calls["b"]
            assert asyncio.get_running_loop().time() == pytest.approx(START + 1)
            await asyncio.gather(calls["a"], calls["c"], calls["d"])

        run(work())
        assert upstream.names == ["refused", "a", "c", "d"]
        assert upstream.times == near(0, 6, 7, 8)

    async def test_streamed_answer_is_closed_if_the_caller_leaves_meanwhile(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stream = Streamed()
        answer = Response(429, headers={"Retry-After": "1"}, stream=stream)
        pausing = asyncio.Event()

        async def pause(*_: object) -> None:
            pausing.set()
            await asyncio.Event().wait()

        monkeypatch.setattr("onloop.rates.LocalLine.pause", pause)
        caller = call(RateTransport(Upstream([answer]), "prices", TEN))
        await pausing.wait()
        assert not stream.closed
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert stream.closed


@pytest.fixture
async def shared(redis_url: str, settings: Settings) -> AsyncIterator[None]:
    """All rates are counted in Redis."""
    settings.REDIS_URL = redis_url
    async with shared_redis():
        yield


async def fill(line: SharedLine) -> None:
    """Book all turns of the next half second, of a hundred in a second."""
    for _ in range(150):
        await line.book(10**9)


class Booked:
    """Counts the turns of the line that are booked from now on."""

    def __init__(self, server: redis.Redis) -> None:
        self._server = server
        self._before = self._full()

    def _full(self) -> int:
        return int(self._server.hget("upstream_rate:prices", "full") or 0)

    async def reach(self, count: int) -> None:
        async def reached() -> bool:
            return self._full() >= self._before + count * HUNDRED.interval

        await eventually(reached)


@pytest.fixture
async def booked(redis_url: str, shared: None) -> AsyncIterator[Booked]:
    """The line of the rate `HUNDRED`, whose next turn is in half a second."""
    await fill(SharedLine("upstream_rate:prices", HUNDRED))
    with redis.Redis.from_url(redis_url) as server:
        yield Booked(server)


@pytest.mark.usefixtures("shared")
class TestRedis:
    async def test_processes_share_the_line_of_a_name(self) -> None:
        upstream = Upstream()
        rate = Rate(6, 3600)
        one, same, other = (RateTransport(upstream, name, rate) for name in ("a", "a", "b"))
        for line in (one, same) * 3:
            await call(line, pool=0.0)
        for line in (one, same):
            with pytest.raises(RateLimitExceeded, match=r" wait (600\.0|59\d\.\d) s\.$"):
                await call(line, pool=60.0)
        await call(other, pool=0.0)
        assert len(upstream.times) == 7

    async def test_calls_wait_in_line(self) -> None:
        upstream = Upstream()
        line = RateTransport(upstream, "prices", Rate(100, 1))
        await asyncio.gather(*(call(line, number) for number in range(110)))
        assert sorted(upstream.names, key=int) == [str(number) for number in range(110)]

    async def test_pause_reaches_calls_that_are_in_line_elsewhere(self, booked: Booked) -> None:
        upstream = Upstream()
        line = RateTransport(upstream, "prices", HUNDRED)
        patient, hasty = call(line, pool=600.0), call(line, pool=60.0)
        await booked.reach(2)

        await SharedLine("upstream_rate:prices", HUNDRED).pause(300_000_000)
        with pytest.raises(RateLimitExceeded):
            await hasty
        assert line.waiting == 1
        patient.cancel()
        await asyncio.wait([patient])
        assert not upstream.requests

    async def test_calls_in_line_go_on_in_their_own_line_while_redis_is_down(
        self,
        booked: Booked,
        redis_url: str,
        settings: Settings,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        upstream = Upstream()
        async with proxy_of(redis_url, 6379) as proxy:
            settings.REDIS_URL = proxy.url
            async with shared_redis():
                line = RateTransport(upstream, "prices", HUNDRED)
                calls = [call(line, number) for number in range(3)]
                await booked.reach(3)
                await proxy.stop()
                await asyncio.gather(*calls)
                await call(line)
        assert len(upstream.times) == 4
        assert "Redis is unreachable: this process counts requests separately" in caplog.text

    async def test_pause_is_kept_here_while_redis_is_down(self, settings: Settings) -> None:
        settings.REDIS_URL = f"redis://127.0.0.1:{closed_port()}/0"
        line = RateTransport(Upstream([too_many("120")]), "prices", HUNDRED)
        await call(line)
        with pytest.raises(RateLimitExceeded):
            await call(line, pool=60.0)


async def test_metrics_are_the_limit_per_second_and_the_calls_in_line() -> None:
    line = RateTransport(Upstream(), "prices", Rate(90, 60))
    assert line.limit == 1.5
    assert line.waiting == 0


async def test_closing_closes_the_layer_below() -> None:
    upstream = Upstream()
    await RateTransport(upstream, "prices", ONE).aclose()
    assert upstream.closed

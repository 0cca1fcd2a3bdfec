"""The rate at which an upstream may be called: calls beyond it wait in line for their turn."""

import asyncio
import math
from bisect import insort
from dataclasses import dataclass
from functools import partial
from itertools import count
from operator import attrgetter

from onloop.http._httpx import AsyncBaseTransport, Request, Response
from onloop.http.deadline import time_left
from onloop.http.exceptions import RateLimitExceeded
from onloop.http.retry_after import requested_pause
from onloop.per_loop import PerLoop
from onloop.rates import Line, LocalLine, Rate
from onloop.shared_rates import SharedLine, shared_or_here

__all__ = ["Rate", "RateTransport"]

_LONGEST_PAUSE = 300.0
_LONGEST_WAIT = 24 * 3600.0


class RateTransport(AsyncBaseTransport):
    """Makes calls at a rate: a burst of `rate.requests`, and then one at each interval.

    At 10/second, 25 calls take 1.5 s: 10 go immediately, and then one each 0.1 s. The others wait
    in line, first come, first served, but no longer than the caller's deadline and the request's
    `pool` timeout allow: a call whose turn would come later fails immediately. When a call is
    cancelled in line, those behind it in its process move up.

    A response with status 429 and `Retry-After` pauses the line: no call is sent before the time it
    names, up to 5 minutes away, and then they go one at each interval, without a burst.

    With `settings.REDIS_URL` all processes share the line of this `name`. Without Redis, and while
    it is down, each process has its own.

    `limit` is the rate in calls per second; `waiting` is the number of calls in line here.
    """

    def __init__(self, next_: AsyncBaseTransport, name: str, rate: Rate) -> None:
        self.limit = rate.requests / rate.seconds
        self.waiting = 0
        self._next = next_
        self._rate = rate
        self._shared = shared = SharedLine(f"upstream_rate:{name}", rate)
        self._local = local = LocalLine(rate)
        self._queues = PerLoop(lambda: (_Queue(shared), _Queue(local)))

    async def handle_async_request(self, request: Request) -> Response:
        """Make the call when its turn has come.

        Raises:
            RateLimitExceeded: its turn would come too late. Nothing was sent.
        """
        await self._wait(request)
        response = await self._next.handle_async_request(request)
        if response.status_code == 429:
            try:
                await self._pause(response)
            except BaseException:
                await response.aclose()
                raise
        return response

    async def _wait(self, request: Request) -> None:
        latest = asyncio.get_running_loop().time() + _longest_wait(request)
        shared, local = self._queues.get()
        self.waiting += 1
        try:
            wait = await shared_or_here(
                partial(shared.wait_for_turn, latest), partial(local.wait_for_turn, latest)
            )
        finally:
            self.waiting -= 1
        if wait:
            # Rounded up: 0.0 s would be no reason.
            seconds = f"{math.ceil(wait * 10) / 10:.1f}"
            raise RateLimitExceeded(
                f"The upstream may be called {self._rate.requests} times in {self._rate.seconds} s:"
                f" this call would have to wait {seconds} s.",
                request=request,
            )

    async def _pause(self, response: Response) -> None:
        seconds = requested_pause(response.headers.get("Retry-After"))
        if seconds:
            duration = _microseconds(min(seconds, _LONGEST_PAUSE))
            await shared_or_here(
                partial(self._shared.pause, duration), partial(self._local.pause, duration)
            )

    async def aclose(self) -> None:
        """Close the transport below."""
        await self._next.aclose()


@dataclass(slots=True, eq=False)
class _Call:
    """A call in line, with its number in the order of arrival.

    `latest` is the last moment for its turn, on the loop's clock. `turn` becomes that turn, or
    `None` as soon as it would come later; `wait` is then how many seconds later than now.
    """

    number: int
    latest: float
    turn: asyncio.Future[int | None]
    wait: float = 0.0


class _Queue:
    """The calls of one event loop that are in a line.

    Turns that have been booked belong to all of them: the first call gets the first turn. If a call
    is cancelled, those behind it move up, and the last turn goes to the next call that comes. If
    none comes before that turn, it is lost.
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._numbers = count()
        self._calls: list[_Call] = []
        # When each turn comes, on the loop's clock and on the line's. At least one for each call.
        self._turns: list[tuple[float, int]] = []
        self._timer: asyncio.TimerHandle | None = None

    async def wait_for_turn(self, latest: float) -> float:
        """Wait for a turn and return 0.

        If none comes until `latest`, on the loop's clock, return the seconds to wait for one as
        soon as this is known.
        """
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        self._drop_past_turns(loop.time())
        if len(self._turns) == len(self._calls):
            longest = max(0, _microseconds(latest - loop.time()))
            wait, turn = await self._line.book(longest)
            if wait > longest:
                return wait / 1_000_000
            if not wait and not self._calls:
                return 0.0
            self._add(turn, wait)
        while True:
            call = _Call(number, latest, loop.create_future())
            own_turn = await self._turn_of(call)
            if own_turn is None:
                return call.wait
            try:
                postponed = await self._line.wait(own_turn)
            except BaseException:
                self._add(own_turn, 0)
                raise
            if not postponed:
                return 0.0
            self._add(own_turn, postponed)

    async def _turn_of(self, call: _Call) -> int | None:
        insort(self._calls, call, key=attrgetter("number"))
        self._refuse_late_calls()
        try:
            return await call.turn
        except asyncio.CancelledError:
            if call in self._calls:
                self._calls.remove(call)
                self._set_timer()
            elif not call.turn.cancelled() and (turn := call.turn.result()) is not None:
                self._add(turn, 0)
            raise

    def _refuse_late_calls(self) -> None:
        now = asyncio.get_running_loop().time()
        in_time: list[_Call] = []
        for call in self._calls:
            when, _ = self._turns[len(in_time)]
            if when > call.latest and not call.turn.done():
                call.wait = when - now
                call.turn.set_result(None)
            else:
                in_time.append(call)
        self._calls = in_time
        self._set_timer()

    def _add(self, turn: int, wait: int) -> None:
        when = asyncio.get_running_loop().time() + wait / 1_000_000
        insort(self._turns, (when, turn))
        self._set_timer()

    def _drop_past_turns(self, now: float) -> None:
        while not self._calls and self._turns and self._turns[0][0] <= now:
            del self._turns[0]

    def _set_timer(self) -> None:
        when = self._turns[0][0] if self._calls else None
        if self._timer is not None:
            if self._timer.when() == when:
                return
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = None if when is None else loop.call_at(when, self._give_turns)

    def _give_turns(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._calls and self._turns[0][0] <= now:
            call = self._calls.pop(0)
            if not call.turn.cancelled():
                _, turn = self._turns.pop(0)
                call.turn.set_result(turn)
        self._set_timer()


def _longest_wait(request: Request) -> float:
    pool = request.extensions.get("timeout", {}).get("pool")
    bounds = (time_left(), pool, _LONGEST_WAIT)
    return min(bound for bound in bounds if bound is not None)


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)

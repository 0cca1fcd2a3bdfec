"""Rates such as 100/minute: a burst, refilled at a constant rate (GCRA).

The generic cell rate algorithm keeps one number for whatever is limited: the time at which its
burst is full again. https://brandur.org/rate-limiting#gcra

Times are in microseconds, which are integers in Python and exact in Redis.
"""

import re
from time import monotonic_ns
from typing import NamedTuple, Protocol, Self

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}


class Rate(NamedTuple):
    """A number of requests, and the seconds in which that many are refilled."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the rate of a text such as `100/minute`.

        Raises:
            ValueError: the text is not a rate.
        """
        match = re.fullmatch(r"([1-9][0-9]{0,5})/(second|minute|hour)", text)
        if match is None:
            raise ValueError(f"{text!r} is not a rate such as 10/second, 100/minute or 1000/hour.")
        return cls(int(match[1]), _SECONDS[match[2]])

    @property
    def interval(self) -> int:
        """The time in which one request is refilled."""
        return self.seconds * 1_000_000 // self.requests

    @property
    def burst(self) -> int:
        """The time in which a whole burst is refilled."""
        return self.interval * self.requests

    def book(self, full: int, now: int) -> tuple[int, int]:
        """Return when the burst will be full after one more request, and how long that waits.

        `full` is when it would have been full without the request.
        """
        full = max(full, now) + self.interval
        return full, max(full - now - self.burst, 0)


class Line(Protocol):
    """The turns of calls that wait in line under a rate."""

    async def book(self, longest: int) -> tuple[int, int]:
        """Return how long to wait for the next turn, and that turn, as a time of the line's clock.

        The turn is booked unless the wait is longer than `longest`.
        """

    async def wait(self, turn: int) -> int:
        """Return how long to wait for a turn, which a pause since it was booked has postponed."""

    async def pause(self, duration: int) -> None:
        """Postpone all turns, so that there is none for `duration`, and no burst afterwards."""


class LocalLine:
    """The `Line` of one process.

    It has a clock of its own, which is late by all pauses so far and stands still in a pause. So a
    pause postpones all turns, and changes neither their order nor the intervals between them.
    """

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._full = 0
        self._late = 0
        self._paused_until = 0

    async def book(self, longest: int) -> tuple[int, int]:
        """Book the next turn; see `Line.book()`."""
        _, clock, paused = self._read()
        full, wait = self._rate.book(self._full, clock)
        if wait + paused <= longest:
            self._full = full
        return wait + paused, clock + wait

    async def wait(self, turn: int) -> int:
        """Return how long to wait for a turn; see `Line.wait()`."""
        _, clock, paused = self._read()
        return max(turn - clock, 0) + paused

    async def pause(self, duration: int) -> None:
        """Postpone all turns; see `Line.pause()`."""
        now, clock, paused = self._read()
        self._full = max(self._full, clock + self._rate.burst - self._rate.interval)
        if duration > paused:
            self._late += duration - paused
            self._paused_until = now + duration

    def _read(self) -> tuple[int, int, int]:
        """Return the time, that on the line's clock, and how much longer that will stand still."""
        now = monotonic_ns() // 1000
        paused = max(self._paused_until - now, 0)
        return now, now + paused - self._late, paused

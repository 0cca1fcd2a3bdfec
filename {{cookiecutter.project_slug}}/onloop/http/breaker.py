"""A circuit breaker: a server that fails most of the time is left alone for a while.

After Michael Nygard, "Release It!"; https://martinfowler.com/bliki/CircuitBreaker.html
"""

import logging
from collections import deque
from enum import StrEnum
from time import monotonic

from onloop.http.errors import CircuitOpenError, HTTPClientError

WINDOW = 100
FEWEST_CALLS = 20

logger = logging.getLogger(__name__)


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """The circuit to one server.

    Closed, it lets every call through, and opens when at least ``percent`` of the last calls have
    failed: of ``WINDOW`` calls, or of those there were since it closed, ``FEWEST_CALLS`` at least.
    Open, it refuses every call at once. After ``seconds`` it is half-open: one call goes through as
    a probe. Its success closes the circuit, its failure opens it again. With ``percent`` 0 it never
    opens. A call may take several attempts, and counts once, by how it ended::

        period = breaker.begin()
        breaker.check(period)  # Before each attempt.
        ...
        breaker.end(period, error)
    """

    def __init__(self, name: str, *, percent: int, seconds: float) -> None:
        self.name = name
        self.state = State.CLOSED
        self._percent = percent
        self._seconds = seconds
        self._opened = 0.0
        self._period = 0  # Counts the changes of state: a call counts only in the one it began in.
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._failures = 0

    def begin(self) -> int:
        """Let a call through and return what ``end`` wants. Raises ``CircuitOpenError`` instead."""
        if self.state is not State.CLOSED:
            self._probe()
        return self._period

    def check(self, period: int) -> None:
        """Raise ``CircuitOpenError`` where the circuit has changed since the call began."""
        if period != self._period:
            raise CircuitOpenError

    def end(self, period: int, error: BaseException | None) -> None:
        """Learn from a call that has ended with this error, or well."""
        if period != self._period:
            return
        if error is None:
            self._learn(failed=False)
        elif isinstance(error, HTTPClientError) and error.blames_server is not None:
            self._learn(failed=error.blames_server)
        elif self.state is State.HALF_OPEN:  # The next call probes.
            self._enter(State.OPEN)

    def _probe(self) -> None:
        if self.state is State.HALF_OPEN or monotonic() < self._opened + self._seconds:
            raise CircuitOpenError
        logger.info("The circuit to %s is half-open: one call probes it.", self.name)
        self._enter(State.HALF_OPEN)

    def _learn(self, *, failed: bool) -> None:
        if self.state is State.HALF_OPEN:
            if failed:
                self._open("its probe failed")
            else:
                logger.info("The circuit to %s is closed again.", self.name)
                self._enter(State.CLOSED)
            return
        if len(self._failed) == WINDOW:
            self._failures -= self._failed[0]
        self._failed.append(failed)
        self._failures += failed
        calls = len(self._failed)
        if failed and calls >= FEWEST_CALLS and 0 < self._percent * calls <= self._failures * 100:
            self._open(f"{self._failures} of the last {calls} calls failed")

    def _open(self, reason: str) -> None:
        logger.warning("The circuit to %s is open for %g s: %s.", self.name, self._seconds, reason)
        self._opened = monotonic()
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._period += 1
        self._failed.clear()
        self._failures = 0

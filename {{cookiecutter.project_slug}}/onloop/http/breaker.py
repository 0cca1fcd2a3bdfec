"""A circuit breaker: a server that fails most of the time is skipped for a while.

After Michael Nygard, "Release It!"; https://martinfowler.com/bliki/CircuitBreaker.html
"""

import logging
from collections import deque
from collections.abc import Callable
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Self

from onloop.http.errors import CircuitOpenError, HTTPClientError

WINDOW = 100
FEWEST_CALLS = 20

logger = logging.getLogger(__name__)


class State(StrEnum):
    """The states of a circuit, as metrics name them."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Period:
    """A time span in which a circuit keeps its state, and the block of each call started in it.

    A call's outcome counts only if it ends within the period in which it started.
    """

    def __init__(self, learn: Callable[[BaseException | None], None]) -> None:
        self.over = False
        self._learn = learn

    def check(self) -> None:
        """Check that a call that started in this period may make another attempt.

        Raises:
            CircuitOpenError: the period is over.
        """
        if self.over:
            raise CircuitOpenError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self.over:
            self._learn(error)


class Breaker:
    """The circuit to one server.

    A closed circuit lets every call through. It opens when at least `percent` of the last calls
    have failed: of the last `WINDOW` calls, or of all since it closed if there are fewer, but at
    least `FEWEST_CALLS`. An open circuit refuses every call immediately. After `seconds` it is
    half-open: one call goes through as a probe. Its success closes the circuit, its failure opens
    it again. With `percent` 0 the circuit never opens. A call may take several attempts, and counts
    once, by its outcome::

        with breaker.call() as period:
            ...
            period.check()  # Before each attempt.
    """

    def __init__(self, name: str, *, percent: int, seconds: float) -> None:
        self.name = name
        self.state = State.CLOSED
        self._percent = percent
        self._seconds = seconds
        self._opened = 0.0
        self._period = Period(self._end)
        self._failed: deque[bool] = deque(maxlen=WINDOW)
        self._failures = 0

    def call(self) -> Period:
        """Return the block of a call.

        Raises:
            CircuitOpenError: the call is refused.
        """
        if self.state is not State.CLOSED:
            self._probe()
        return self._period

    def _end(self, error: BaseException | None) -> None:
        """Count a call that has ended with this error, or without one."""
        if error is None:
            self._learn(failed=False)
        elif isinstance(error, HTTPClientError) and error.blames_server is not None:
            self._learn(failed=error.blames_server)
        elif self.state is State.HALF_OPEN:  # The next call is the probe.
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
        self._period.over = True
        self._period = Period(self._end)
        self._failed.clear()
        self._failures = 0

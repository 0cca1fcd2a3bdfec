"""A circuit breaker: an upstream that fails most of the time is skipped for a while.

After Michael Nygard, "Release It!"; https://martinfowler.com/bliki/CircuitBreaker.html
"""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from types import TracebackType
from typing import Self

from onloop.http._httpx import AsyncBaseTransport, HTTPStatusError, Request, Response
from onloop.http.exceptions import CircuitOpenError, blames_upstream

_WINDOW = 100
_FEWEST_CALLS = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Breaker:
    """When the circuit to an upstream opens, and for how long.

    It opens when at least `percent` of the last calls have failed, and stays open for `seconds`.
    With `percent` 0 it never opens.
    """

    percent: int = 50
    seconds: float = 10.0


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


class Circuit:
    """The circuit to one upstream.

    A closed circuit lets every call through. It opens when at least `breaker.percent` of the last
    calls have failed: of the last 100, or of all since it closed if there are fewer, but at least
    20. An open circuit refuses every call immediately. After `breaker.seconds` it is half-open: one
    call goes through as a probe. Its success closes the circuit, its failure opens it again. A call
    may take several attempts, and counts once, by its outcome::

        with circuit.call():
            ...
    """

    def __init__(self, name: str, breaker: Breaker) -> None:
        self.name = name
        self.state = State.CLOSED
        self._breaker = breaker
        self._opened = 0.0
        self._period = Period(self._end)
        self._failed: deque[bool] = deque(maxlen=_WINDOW)
        self._failures = 0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused, until one may probe the upstream."""
        return self.state is State.OPEN

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
        failed = False if error is None else blames_upstream(error)
        if failed is not None:
            self._learn(failed=failed)
        elif self.state is State.HALF_OPEN:  # The next call is the probe.
            self._enter(State.OPEN)

    def _probe(self) -> None:
        if self.state is State.HALF_OPEN or monotonic() < self._opened + self._breaker.seconds:
            raise CircuitOpenError(
                "The server has failed too often and is being skipped for a moment."
            )
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
        if len(self._failed) == _WINDOW:
            self._failures -= self._failed[0]
        self._failed.append(failed)
        self._failures += failed
        calls = len(self._failed)
        enough = 0 < self._breaker.percent * calls <= self._failures * 100
        if failed and calls >= _FEWEST_CALLS and enough:
            self._open(f"{self._failures} of the last {calls} calls failed")

    def _open(self, reason: str) -> None:
        seconds = self._breaker.seconds
        logger.warning("The circuit to %s is open for %g s: %s.", self.name, seconds, reason)
        self._opened = monotonic()
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._period.over = True
        self._period = Period(self._end)
        self._failed.clear()
        self._failures = 0


class BreakerTransport(AsyncBaseTransport):
    """Refuses calls while the circuit is open, and tells it the outcome of each call."""

    def __init__(self, next_: AsyncBaseTransport, circuit: Circuit) -> None:
        self._next = next_
        self._circuit = circuit

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request.

        Raises:
            CircuitOpenError: the upstream is being skipped.
            HTTPError: the call failed.
        """
        try:
            with self._circuit.call():
                response = await self._next.handle_async_request(request)
                if blames_upstream(response):
                    raise HTTPStatusError("", request=request, response=response)
                return response
        except HTTPStatusError as failed:  # The block has seen it.
            return failed.response

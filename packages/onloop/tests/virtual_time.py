"""An event loop whose clock jumps to the next timer when there is nothing else to do."""

import asyncio
import selectors
import sys
from collections.abc import Coroutine
from typing import Any
from unittest.mock import patch


class _JumpingSelector(selectors.DefaultSelector):
    now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "Everything waits for something that never comes."
            self.now += timeout
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Hours pass in no time, and nothing else does."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run[T](work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`, in which only timers take time, and that is virtual."""

    def now() -> float:
        return asyncio.get_running_loop().time()

    deadlines = sys.modules["onloop.http.deadline"]
    with (
        patch.object(deadlines, "monotonic", now),
        patch("onloop.rates.monotonic_ns", lambda: round(now() * 1e9)),
        asyncio.Runner(loop_factory=VirtualTimeLoop) as runner,
    ):
        return runner.run(work)

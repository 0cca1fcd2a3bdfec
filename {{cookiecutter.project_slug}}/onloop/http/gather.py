"""Calls to several upstreams at once: an answer or an error for each name, and one deadline."""

import asyncio
import inspect
from collections.abc import Awaitable, Collection, Coroutine, Mapping
from contextlib import nullcontext
from typing import Any

from onloop.http._httpx import HTTPError, Response
from onloop.http.deadline import deadline as deadline_block
from onloop.http.deadline import time_left
from onloop.http.exceptions import DeadlineExceeded, describe


def gather[T](
    *, deadline: float | None = None, soft_deadline: float | None = None, **calls: Awaitable[T]
) -> Coroutine[Any, Any, dict[str, T | HTTPError]]:
    """Await all calls concurrently, and return by name what each has answered or failed with.

    Example::

        answers = await gather(
            item=catalog.get(f"/items/{pk}"),
            price=prices.post("/quote", json={"sku": sku}),
            deadline=0.8,
            soft_deadline=0.3,
        )
        price = answers["price"]
        if isinstance(price, Response):
            ...  # An answer, with whatever status.
        else:
            ...  # An `httpx.HTTPError`: `error_type(price)` names its kind.

    The calls end after `deadline` seconds, or at the caller's own deadline if that is earlier. They
    see it as theirs (`onloop.http.time_left()`). `soft_deadline` seconds after the first good
    result, the others end as well; an answer with an error status (4xx, 5xx) is not a good result.
    A call that was ended has a `DeadlineExceeded` in its place. Each call runs in a task of its
    own, all at the same time. All are over when this returns or raises, also if the caller is
    cancelled.

    Raises:
        Exception: a call raised anything but an `httpx.HTTPError`, so the others were cancelled.
            The first such exception is raised itself, without an `ExceptionGroup`, for the sake of
            `except` clauses and error pages; notes on it describe those of other calls.
    """
    return _gather(_Calls(calls), deadline, soft_deadline)


class _Calls[T](dict[str, Awaitable[T]]):
    """Calls; the coroutines among them that never started end without a warning.

    A caller that is cancelled before its first step starts none.
    """

    def __del__(self) -> None:
        for call in self.values():
            if inspect.iscoroutine(call):
                call.close()


async def _gather[T](
    calls: _Calls[T], deadline: float | None, soft_deadline: float | None
) -> dict[str, T | HTTPError]:
    if not calls:
        return {}
    end = _End(len(calls), soft_deadline)
    tasks: dict[str, asyncio.Future[T]] = {}
    try:
        with nullcontext() if deadline is None else deadline_block(deadline):
            left = time_left()
            for name, call in calls.items():
                tasks[name] = task = asyncio.ensure_future(call)
                task.add_done_callback(end.note)
        if left is not None:
            end.after(left, f"The call had not ended when the deadline of {left:.3g} s passed.")
        reason = await end.reached
        await _end_all(tasks.values())
        end.raise_defect()
        return _outcomes(tasks, reason)
    except BaseException:
        await _end_all(tasks.values())
        await _close_answers(tasks.values())
        raise
    finally:
        end.stop_timers()


class _End:
    """When to end calls: when all have ended, or one has a defect, or a deadline has passed.

    `reached` is then the reason for the calls that have not ended; a defect needs none.
    """

    def __init__(self, calls: int, soft_deadline: float | None) -> None:
        self._loop = asyncio.get_running_loop()
        self.reached: asyncio.Future[str] = self._loop.create_future()
        self._running = calls
        self._soft_deadline = soft_deadline
        self._timers: list[asyncio.TimerHandle] = []
        self._defects: list[BaseException] = []

    def after(self, seconds: float, reason: str) -> None:
        """Make this the end unless there is an earlier one."""
        self._timers.append(self._loop.call_later(seconds, self._reach, reason))

    def note(self, task: asyncio.Future[Any]) -> None:
        """Note that a call has ended."""
        self._running -= 1
        if task.cancelled():
            if not self.reached.done():  # Somebody else has cancelled it.
                self._add_defect(asyncio.CancelledError())
            return
        error = task.exception()
        if error is not None and not isinstance(error, HTTPError):
            self._add_defect(error)
        elif not self._running:
            self._reach("")
        elif error is None and self._soft_deadline is not None and _is_good(task.result()):
            seconds, self._soft_deadline = self._soft_deadline, None
            self.after(
                seconds, f"The call had not ended {seconds:g} s after the first good answer."
            )

    def stop_timers(self) -> None:
        """Forget the deadlines."""
        for timer in self._timers:
            timer.cancel()

    def raise_defect(self) -> None:
        """Raise the first exception that is not an error of a call, if there is one."""
        if self._defects:
            first, *others = self._defects
            for other in others:
                first.add_note(f"Another call failed: {type(other).__name__}: {describe(other)}")
            raise first

    def _add_defect(self, error: BaseException) -> None:
        self._defects.append(error)
        self._reach("")

    def _reach(self, reason: str) -> None:
        if not self.reached.done():
            self.reached.set_result(reason)


async def _end_all(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Cancel the tasks that run and wait for them, even if the caller is cancelled repeatedly."""
    for task in tasks:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled:
        raise cancelled


async def _close_answers(tasks: Collection[asyncio.Future[Any]]) -> None:
    """Close the answers that nobody will read: a streamed one holds a connection."""
    for task in tasks:
        if not task.cancelled() and not task.exception() and isinstance(task.result(), Response):
            await task.result().aclose()


def _is_good(result: object) -> bool:
    return not (isinstance(result, Response) and result.is_error)


def _outcomes[T](tasks: Mapping[str, asyncio.Future[T]], reason: str) -> dict[str, T | HTTPError]:
    outcomes: dict[str, T | HTTPError] = {}
    for name, task in tasks.items():
        if task.cancelled():
            outcomes[name] = DeadlineExceeded(reason)
        else:
            error = task.exception()
            outcomes[name] = error if isinstance(error, HTTPError) else task.result()
    return outcomes

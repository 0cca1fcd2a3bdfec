"""Concurrent calls with a limit and a deadline, none of which outlives its caller."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from onloop.http._httpx import HTTPError
from onloop.http.deadline import deadline as set_deadline
from onloop.http.exceptions import DeadlineExceeded, describe, error_type

_MOST_CAUSES = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival[Answer]:
    """A call that has ended: its index, its outcome, when it started, and how long it took.

    Times are in seconds; `started` is relative to the start of all calls. For a call that could not
    start before the deadline, `started` is the time of the deadline and `elapsed` is 0.
    """

    index: int
    outcome: Answer | HTTPError
    started: float
    elapsed: float


@asynccontextmanager
async def fan_out[Item, Answer](
    call: Callable[[Item], Awaitable[Answer]],
    items: Sequence[Item],
    *,
    concurrency: int,
    deadline: float,
) -> AsyncIterator[AsyncIterator[Arrival[Answer]]]:
    """Await `call(item)` for each item and yield an `Arrival` as each one ends.

    Example::

        async with fan_out(call, items, concurrency=10, deadline=30.0) as arrivals:
            async for arrival in arrivals:
                ...

    At most `concurrency` calls are in flight. An outcome is the call's return value, the
    `HTTPError` it raised, or a `DeadlineExceeded` if it had not ended `deadline` seconds
    after the start. Leaving the block, for whatever reason, cancels the calls in flight and waits
    for them to end, which a plain generator could not promise (PEP 789). The causes of the failures
    that arrived are logged in one line.

    Raises:
        ExceptionGroup: where the arrivals are awaited, if a call raised any other exception; the
            remaining calls are cancelled.
    """
    queue: asyncio.Queue[Arrival[Answer] | None] = asyncio.Queue()
    calls = asyncio.create_task(_call_all(call, items, concurrency, deadline, queue))
    calls.add_done_callback(lambda _: queue.put_nowait(None))
    failures: list[HTTPError] = []

    async def arrivals() -> AsyncIterator[Arrival[Answer]]:
        while (arrival := await queue.get()) is not None:
            if isinstance(arrival.outcome, HTTPError):
                failures.append(arrival.outcome)
            yield arrival
        await calls

    try:
        yield arrivals()
    finally:
        calls.cancel()
        await asyncio.wait([calls])
        if failures:
            _log_failures(failures, len(items))


async def _call_all[Item, Answer](
    call: Callable[[Item], Awaitable[Answer]],
    items: Sequence[Item],
    concurrency: int,
    deadline: float,
    queue: asyncio.Queue[Arrival[Answer] | None],
) -> None:
    start = time.perf_counter()
    todo = iter(enumerate(items))
    begun: dict[int, float] = {}
    unanswered = set(range(len(items)))

    def arrive(index: int, outcome: Answer | HTTPError) -> None:
        now = time.perf_counter() - start
        started = begun.get(index, now)
        queue.put_nowait(Arrival(index, outcome, started, now - started))

    async def worker() -> None:
        for index, item in todo:
            begun[index] = time.perf_counter() - start
            outcome: Answer | HTTPError
            try:
                outcome = await call(item)
            except HTTPError as error:
                outcome = error
            unanswered.discard(index)
            arrive(index, outcome)

    try:
        with set_deadline(deadline):
            async with asyncio.timeout(deadline), asyncio.TaskGroup() as workers:
                for _ in range(min(concurrency, len(items))):
                    workers.create_task(worker())
    except TimeoutError:
        message = f"The server did not answer before the deadline of {deadline:g} s."
        for index in sorted(unanswered):
            arrive(index, DeadlineExceeded(message))


def _log_failures(failures: Collection[HTTPError], calls: int) -> None:
    """Log the most frequent causes in one line, since a thousand calls may fail together."""
    causes = Counter(f"{error_type(error)}: {describe(error)}" for error in failures)
    shown = "; ".join(f"{count} x {cause}" for cause, count in causes.most_common(_MOST_CAUSES))
    logger.warning("%d of %d calls failed. %s", len(failures), calls, shown)

"""Concurrent calls: bounded, with a deadline, and none of them outlives its caller."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from onloop.http.errors import DeadlineExceededError, HTTPClientError, describe

MOST_CAUSES = 5

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Arrival[Answer]:
    """A call that has ended: its index and outcome, when it started, and how long it took.

    Times are in seconds; `started` counts from the start of all calls. A call that the deadline
    kept from starting has `started` at the deadline and took no time.
    """

    index: int
    outcome: Answer | HTTPClientError
    started: float
    elapsed: float


@asynccontextmanager
async def gather[Item, Answer](
    call: Callable[[Item], Awaitable[Answer]],
    items: Sequence[Item],
    *,
    concurrency: int,
    deadline: float,
) -> AsyncIterator[AsyncIterator[Arrival[Answer]]]:
    """Await `call(item)` for each item and yield an `Arrival` as each one ends.

    Example::

        async with gather(call, items, concurrency=10, deadline=30.0) as arrivals:
            async for arrival in arrivals:
                ...

    At most `concurrency` calls are in flight. An outcome is what the call returned or the
    `HTTPClientError` it raised; `DeadlineExceededError` where there was neither `deadline` seconds
    after the start. Any other exception cancels the remaining calls and is raised, in an
    `ExceptionGroup`, where the arrivals are awaited.

    Leaving the block, for whatever reason, cancels the calls in flight and waits for their end.
    That promise is why this is a context manager and not a plain generator (PEP 789). The causes of
    the failures that arrived are logged in one line.
    """
    queue: asyncio.Queue[Arrival[Answer] | None] = asyncio.Queue()
    calls = asyncio.create_task(_call_all(call, items, concurrency, deadline, queue))
    calls.add_done_callback(lambda _: queue.put_nowait(None))
    failures: list[HTTPClientError] = []

    async def arrivals() -> AsyncIterator[Arrival[Answer]]:
        while (arrival := await queue.get()) is not None:
            if isinstance(arrival.outcome, HTTPClientError):
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

    def arrive(index: int, outcome: Answer | HTTPClientError) -> None:
        now = time.perf_counter() - start
        started = begun.get(index, now)
        queue.put_nowait(Arrival(index, outcome, started, now - started))

    async def worker() -> None:
        for index, item in todo:
            begun[index] = time.perf_counter() - start
            outcome: Answer | HTTPClientError
            try:
                outcome = await call(item)
            except HTTPClientError as error:
                outcome = error
            unanswered.discard(index)
            arrive(index, outcome)

    try:
        async with asyncio.timeout(deadline), asyncio.TaskGroup() as workers:
            for _ in range(min(concurrency, len(items))):
                workers.create_task(worker())
    except TimeoutError:
        message = f"The server did not answer before the deadline of {deadline:g} s."
        for index in sorted(unanswered):
            arrive(index, DeadlineExceededError(message))


def _log_failures(failures: Collection[HTTPClientError], calls: int) -> None:
    """Log the causes, the most frequent first: a thousand calls may fail together."""
    causes = Counter(f"{error.type}: {describe(error)}" for error in failures)
    shown = "; ".join(f"{count} x {cause}" for cause, count in causes.most_common(MOST_CAUSES))
    logger.warning("%d of %d calls failed. %s", len(failures), calls, shown)

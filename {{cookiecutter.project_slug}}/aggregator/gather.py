"""Many calls at once: bounded, with a deadline, and none of them outlives its caller."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from django.conf import settings

from aggregator.failures import log_failures
from aggregator.upstream import Outcome, fetch_json, task_urls, upstream_url
from onloop.http import BodyQuota, DeadlineExceededError, HTTPClientError, http_client, origin_of


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that has ended: which one, how, when it began, and how long it took.

    Times are in seconds; `started` counts from the start of all calls. A call that the deadline
    kept from beginning has `started` at the deadline and took no time.
    """

    index: int
    outcome: Outcome
    started: float
    elapsed: float


@asynccontextmanager
async def ask_upstream(
    count: int, *, max_bytes: int | None = None
) -> AsyncIterator[AsyncIterator[Arrival]]:
    """Call the upstream for ``count`` task ids, as the settings say; ``gather`` of the task ids.

    No body may be longer than ``max_bytes``, where that is less than the settings allow.
    """
    largest = settings.AGGREGATOR_MAX_RESPONSE_BYTES
    url = upstream_url()
    deadline = settings.AGGREGATOR_DEADLINE
    async with http_client() as client:
        get = partial(
            origin_of(url).get,
            client,
            timeout=settings.AGGREGATOR_TIMEOUT,
            max_bytes=largest if max_bytes is None else min(max_bytes, largest),
            until=asyncio.get_running_loop().time() + deadline,
            quota=BodyQuota(settings.AGGREGATOR_MAX_TOTAL_BYTES),
        )
        async with gather(
            partial(fetch_json, get),
            task_urls(url, count),
            concurrency=settings.AGGREGATOR_CONCURRENCY,
            deadline=deadline,
        ) as arrivals:
            failures: list[HTTPClientError] = []
            try:
                yield _noted(arrivals, failures)
            finally:
                if failures:
                    log_failures(failures, count)


async def _noted(
    arrivals: AsyncIterator[Arrival], failures: list[HTTPClientError]
) -> AsyncIterator[Arrival]:
    async for arrival in arrivals:
        if isinstance(arrival.outcome, HTTPClientError):
            failures.append(arrival.outcome)
        yield arrival


@asynccontextmanager
async def gather[Item](
    call: Callable[[Item], Awaitable[bytes]],
    items: Sequence[Item],
    *,
    concurrency: int,
    deadline: float,
) -> AsyncIterator[AsyncIterator[Arrival]]:
    """Await ``call(item)`` for each item and yield an ``Arrival`` as each one ends::

        async with gather(call, items, concurrency=10, deadline=30.0) as arrivals:
            async for arrival in arrivals:
                ...

    At most ``concurrency`` calls are in flight. An outcome is what the call returned or the
    ``HTTPClientError`` it raised; ``DeadlineExceededError`` where there was neither ``deadline``
    seconds after the start. Any other exception cancels the remaining calls and is raised, in an
    ``ExceptionGroup``, where the arrivals are awaited.

    Leaving the block, for whatever reason, cancels the calls in flight and waits for their end.
    That promise is why this is a context manager and not a plain generator (PEP 789).
    """
    queue: asyncio.Queue[Arrival | None] = asyncio.Queue()
    calls = asyncio.create_task(_call_all(call, items, concurrency, deadline, queue))
    calls.add_done_callback(lambda _: queue.put_nowait(None))

    async def arrivals() -> AsyncIterator[Arrival]:
        while (arrival := await queue.get()) is not None:
            yield arrival
        await calls

    try:
        yield arrivals()
    finally:
        calls.cancel()
        await asyncio.wait([calls])


async def _call_all[Item](
    call: Callable[[Item], Awaitable[bytes]],
    items: Sequence[Item],
    concurrency: int,
    deadline: float,
    queue: asyncio.Queue[Arrival | None],
) -> None:
    start = time.perf_counter()
    todo = iter(enumerate(items))
    begun: dict[int, float] = {}
    unanswered = set(range(len(items)))

    def arrive(index: int, outcome: Outcome) -> None:
        now = time.perf_counter() - start
        started = begun.get(index, now)
        queue.put_nowait(Arrival(index, outcome, started, now - started))

    async def worker() -> None:
        for index, item in todo:
            begun[index] = time.perf_counter() - start
            outcome: Outcome
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

"""One fan-out, reported live: the same events for every transport."""

import time
from collections.abc import AsyncGenerator

from django.conf import settings

from onloop.event import Event
from onloop.json_text import json_object
from upstream.calls import call_upstream, outcome_json


async def perform_run(count: int) -> AsyncGenerator[Event]:
    """Call the upstream `count` times and report each step; closing the generator ends the calls.

    The data of an event is a JSON object. `start` has the `count` of calls and the `concurrency`
    at which they start, in the order of their index. `result`, one for each call as it arrives, has
    its `index`, whether it is `ok`, when it `started`, how long it took (`elapsed`), and last the
    `response`, as in api_aggregated/. `done` has the `elapsed` time, the numbers of `ok` and of
    `errors`, and the duration of the `slowest` call. All times are in seconds; `started` is
    relative to the start of the run.
    """
    start = time.perf_counter()
    succeeded = 0
    slowest = 0.0
    yield event("start", count=count, concurrency=min(count, settings.AGGREGATOR_CONCURRENCY))
    async with call_upstream(count) as arrivals:
        async for arrival in arrivals:
            ok = isinstance(arrival.outcome, bytes)
            succeeded += ok
            slowest = max(slowest, arrival.elapsed)
            yield event(
                "result",
                index=arrival.index,
                ok=ok,
                started=round(arrival.started, 4),
                elapsed=round(arrival.elapsed, 4),
                response=outcome_json(arrival.index, arrival.outcome),
            )
    yield event(
        "done",
        elapsed=round(time.perf_counter() - start, 4),
        ok=succeeded,
        errors=count - succeeded,
        slowest=round(slowest, 4),
    )


def event(name: str, **details: object) -> Event:
    """Return an event of a run, with its details as JSON; details in bytes are JSON already."""
    return Event(name, json_object(details).decode())


def without_response(result: Event) -> Event:
    """Return a `result` without its `response`, the last of its details.

    The data is not parsed: a large response would block the event loop, and it may contain integers
    with more digits than Python accepts.
    """
    numbers, _, _ = result.data.partition(', "response": ')
    return Event(result.name, f"{numbers}}}")

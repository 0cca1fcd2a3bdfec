"""A run that others can follow, in this process or, with Redis, in any."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from reprlib import repr as short_repr

from django.conf import settings

from live.run import event, follow_run, without_response
from onloop.event import Event
from onloop.events.hub import Publisher, hub

ENDS = {"done", "cancelled", "lost"}
MARGIN_SECONDS = 10.0
MAX_DATA = 16 * 1024  # Characters; as many as a log can hold for a thousand calls.

CANCELLED = event("cancelled", message="The run was cancelled.")


def new_run() -> str:
    """Return an id that nobody guesses: who knows it can follow the run."""
    return secrets.token_hex(8)


async def shared_run(run: str, count: int) -> AsyncGenerator[Event]:
    """Yield what `follow_run()` yields, after publishing it to all who follow the run.

    They get a `result` without its `response` where that is longer than `MAX_DATA`, and at last
    `done`, or `cancelled` if the generator is closed before. If Redis fails meanwhile, the run goes
    on for its caller alone.

    Raises:
        redis.ConnectionError: Redis is down, and so no call is made.
        redis.TimeoutError: it does not answer in time; likewise.
    """
    async with aclosing(follow_run(count)) as reports:
        start = await anext(reports)
        await hub().publish(_topic(run), _shortened(start))  # Who is told of the run finds it.
        publisher = Publisher(_topic(run))
        done = False
        try:
            yield start
            async for report in reports:
                publisher.publish(_shortened(report))
                done = report.name == "done"
                yield report
        finally:
            await reports.aclose()  # The calls end at once, however long Redis takes.
            if not done:
                publisher.publish(CANCELLED)
            await publisher.flush()


def unknown_run(run: str) -> str:
    """Return the sentence that refuses the id of a run."""
    return f"There is no run {short_repr(run)}, or it ended long ago."


async def is_known(run: str) -> bool:
    """Tell whether the run is going on or ended not long ago."""
    return bool(re.fullmatch("[0-9a-f]{16}", run)) and await hub().log.has(_topic(run))


async def watch_run(run: str, after: str | None = None) -> AsyncGenerator[Event]:
    """Yield the reports of a known run, those after the one with this id, up to the last.

    The process that runs it may have died, or have lost Redis. So when nothing has come for longer
    than any run takes, a report `lost` is the last.
    """
    patience = settings.AGGREGATOR_DEADLINE + MARGIN_SECONDS
    async with aclosing(hub().follow(_topic(run), after)) as reports:
        name = ""
        while name not in ENDS:
            try:
                async with asyncio.timeout(patience):
                    report = await anext(reports)
            except TimeoutError:
                message = f"Nothing was heard of the run for {patience:g} s."
                yield event("lost", message=message)
                return
            name = report.name
            yield report


def _topic(run: str) -> str:
    return f"run.{run}"


def _shortened(report: Event) -> Event:
    return report if len(report.data) <= MAX_DATA else without_response(report)

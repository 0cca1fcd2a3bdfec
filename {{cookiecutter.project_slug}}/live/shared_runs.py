"""Runs that others can follow, in this process or, with Redis, in any process."""

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from reprlib import repr as short_repr

from django.conf import settings

from live.run import event, perform_run, without_response
from onloop.event import Event
from onloop.events import Publisher, hub

ENDS = {"done", "cancelled", "lost"}
MARGIN_SECONDS = 10.0
MAX_DATA = 16 * 1024  # Characters; the most that a log can hold for a thousand calls.

CANCELLED = event("cancelled", message="The run was cancelled.")


def new_run() -> str:
    """Return an unguessable id: anyone who has it can follow the run."""
    return secrets.token_hex(8)


async def publish_run(run: str, count: int) -> AsyncGenerator[Event]:
    """Perform a run, and yield its events after publishing them to all followers.

    Followers get a `result` without its `response` if its data is longer than `MAX_DATA`, and
    finally `done`, or `cancelled` if the generator is closed early. If Redis fails during the run,
    the run continues for its caller only.

    Raises:
        redis.ConnectionError: Redis is down; no call is made.
        redis.TimeoutError: Redis does not respond in time; no call is made.
    """
    async with aclosing(perform_run(count)) as reports:
        start = await anext(reports)
        await hub().publish(_topic(run), start)  # Clients that know the run can find it.
        publisher = Publisher(_topic(run))
        done = False
        try:
            yield start
            async for report in reports:
                publisher.publish(_shortened(report))
                done = report.name == "done"
                yield report
        finally:
            await reports.aclose()  # The calls end immediately, however long Redis takes.
            if not done:
                publisher.publish(CANCELLED)
            await publisher.flush()


async def follow_run(run: str, after: str | None = None) -> AsyncGenerator[Event]:
    """Yield the events of a known run up to the last one, starting after the event with this id.

    The process that performs the run may have died or lost Redis. If nothing has come for longer
    than any run takes, the last event is `lost`.
    """
    patience = settings.AGGREGATOR_DEADLINE + MARGIN_SECONDS
    async with aclosing(hub().follow(_topic(run), after)) as reports:
        name = ""
        while name not in ENDS:
            try:
                async with asyncio.timeout(patience):
                    report = await anext(reports)
            except TimeoutError:
                yield event("lost", message=f"The run has reported nothing for {patience:g} s.")
                return
            name = report.name
            yield report


async def is_known(run: str) -> bool:
    """Return whether the run is in progress or ended recently."""
    return bool(re.fullmatch("[0-9a-f]{16}", run)) and await hub().log.has(_topic(run))


def unknown_run(run: str) -> str:
    """Return the error message for an unknown run id."""
    return f"There is no run {short_repr(run)}, or it ended long ago."


def _topic(run: str) -> str:
    return f"run.{run}"


def _shortened(report: Event) -> Event:
    return report if len(report.data) <= MAX_DATA else without_response(report)

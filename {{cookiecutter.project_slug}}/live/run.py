"""One fan-out, told as it happens; the same for every transport that carries it."""

import json
import time
from collections.abc import AsyncGenerator
from typing import NamedTuple

from django.conf import settings

from aggregator.gather import ask_upstream
from aggregator.upstream import outcome_json

RESPONSE = ', "response": '  # The last field of a result; before it there are only numbers.


class Report(NamedTuple):
    """What happened: `start`, `result` or `done`, and its details as the text of a JSON object.

    The `id` tells where a report stands in the log of a run that others can follow.
    """

    name: str
    details: str
    id: str = ""

    def without_response(self) -> str:
        """Return the details of a `result` without its `response`.

        They are not parsed: a large response would hold the event loop, and may hold integers of
        more digits than Python reads.
        """
        numbers, _, _ = self.details.partition(RESPONSE)
        return f"{numbers}}}"


async def follow_run(count: int) -> AsyncGenerator[Report]:
    """Ask the upstream `count` times and report; closing the generator ends the calls.

    `start`: `count`, and the `concurrency` that calls begin with, in the order of their index.
    `result`, for each call as it arrives: its `index`, whether it is `ok`, when it `started` and
    how long it took (`elapsed`), and the `response` as api_aggregated/ has it.
    `done`: `elapsed`, the numbers of `ok` and of `errors`, and how long the `slowest` call took.
    All times are in seconds, and those of the start count from the start of the run.
    """
    start = time.perf_counter()
    succeeded = 0
    slowest = 0.0
    yield _report("start", count=count, concurrency=min(count, settings.AGGREGATOR_CONCURRENCY))
    async with ask_upstream(count) as arrivals:
        async for arrival in arrivals:
            ok = isinstance(arrival.outcome, bytes)
            succeeded += ok
            slowest = max(slowest, arrival.elapsed)
            report = _report(
                "result",
                index=arrival.index,
                ok=ok,
                started=round(arrival.started, 4),
                elapsed=round(arrival.elapsed, 4),
            )
            # The upstream's own text, as in outcome_json().
            response = outcome_json(arrival.index, arrival.outcome).decode()
            yield report._replace(details=f"{report.details[:-1]}{RESPONSE}{response}}}")
    yield _report(
        "done",
        elapsed=round(time.perf_counter() - start, 4),
        ok=succeeded,
        errors=count - succeeded,
        slowest=round(slowest, 4),
    )


def _report(name: str, **details: float) -> Report:
    return Report(name, json.dumps(details))

"""The jobs of this project. A job may run more than once: see docs/jobs.md."""

import asyncio
import json
import time
from collections.abc import Sequence

from django.conf import settings
from django.tasks import task

from aggregator.upstream import Outcome, call_upstream, outcome_json
from onloop.http import BadResponseError, HTTPClientError


@task
async def aggregate(fan_out: int) -> dict[str, object]:
    """Call the upstream `fan_out` times concurrently; return what api_aggregated/ answers.

    A body that is larger than the result of a job may be counts as a failed call.

    Raises:
        HTTPClientError: every call failed; the error is that of the first.
    """
    start = time.perf_counter()
    async with call_upstream(fan_out, max_bytes=settings.JOBS_MAX_RESULT_BYTES) as arrivals:
        outcomes = {arrival.index: arrival.outcome async for arrival in arrivals}
    elapsed = time.perf_counter() - start

    # On another thread. Parsing a body still holds the GIL, for up to 70 ms with each MiB.
    in_order = [outcomes[index] for index in range(fan_out)]
    responses, errors = await asyncio.to_thread(_built, in_order)
    if len(errors) == fan_out:
        raise errors[0]
    return {
        "responses": responses,
        "debug_message": f"fetch executed in {elapsed:.2f} seconds.",
        **({"errors": len(errors)} if errors else {}),
    }


def _built(outcomes: Sequence[Outcome]) -> tuple[list[object], list[HTTPClientError]]:
    """Return what the answer holds of each outcome, and the errors among them."""
    responses: list[object] = []
    errors: list[HTTPClientError] = []
    for task_id, outcome in enumerate(outcomes):
        try:
            value = json.loads(outcome_json(task_id, outcome))
        except (ValueError, RecursionError):
            # JSON, but more than Python's own json reads.
            outcome = BadResponseError("The server's answer has too long a number or is too deep.")
            value = json.loads(outcome_json(task_id, outcome))
        responses.append(value)
        if isinstance(outcome, HTTPClientError):
            errors.append(outcome)
    return responses, errors

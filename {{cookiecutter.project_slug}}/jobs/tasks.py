"""The jobs of this project. A job may run more than once: see docs/jobs.md."""

import asyncio
import json
import time
from collections.abc import Sequence

from django.conf import settings
from django.tasks import task
from httpx import DecodingError, HTTPError

from upstream.calls import Outcome, call_upstream, outcome_json


@task
async def aggregate(fan_out: int) -> dict[str, object]:
    """Call the upstream `fan_out` times concurrently; return the same as api_aggregated/.

    A body that is larger than the maximum result of a job counts as a failed call.

    Raises:
        HTTPError: every call failed; the error is that of the first call.
    """
    start = time.perf_counter()
    async with call_upstream(fan_out, max_bytes=settings.JOBS_MAX_RESULT_BYTES) as arrivals:
        outcomes = {arrival.index: arrival.outcome async for arrival in arrivals}
    elapsed = time.perf_counter() - start

    # On another thread. Even so, parsing holds the GIL, for up to 70 ms per MiB.
    in_order = [outcomes[index] for index in range(fan_out)]
    responses, errors = await asyncio.to_thread(_built, in_order)
    if len(errors) == fan_out:
        raise errors[0]
    return {
        "responses": responses,
        "debug_message": f"fetch executed in {elapsed:.2f} seconds.",
        **({"errors": len(errors)} if errors else {}),
    }


def _built(outcomes: Sequence[Outcome]) -> tuple[list[object], list[HTTPError]]:
    """Return the value of each outcome in the result, and the errors among them."""
    responses: list[object] = []
    errors: list[HTTPError] = []
    for task_id, outcome in enumerate(outcomes):
        try:
            value = json.loads(outcome_json(task_id, outcome))
        except (ValueError, RecursionError):
            # Valid JSON, but beyond the limits of Python's json.
            outcome = DecodingError("The response is nested too deeply or has too long a number.")
            value = json.loads(outcome_json(task_id, outcome))
        responses.append(value)
        if isinstance(outcome, HTTPError):
            errors.append(outcome)
    return responses, errors

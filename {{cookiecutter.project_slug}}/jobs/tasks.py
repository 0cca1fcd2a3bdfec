"""The jobs of this project. A job may run more than once: see the README."""

import json
import time

from django.tasks import task

from aggregator.gather import ask_upstream
from aggregator.upstream import outcome_json
from runtime.http import HTTPClientError


@task
async def aggregate(fan_out: int) -> dict[str, object]:
    """Ask the upstream `fan_out` times at once; return what api_aggregated/ answers.

    Raises:
        HTTPClientError: every call failed; the error is that of the first.
    """
    start = time.perf_counter()
    async with ask_upstream(fan_out) as arrivals:
        outcomes = {arrival.index: arrival.outcome async for arrival in arrivals}
    elapsed = time.perf_counter() - start

    errors = [outcome for outcome in outcomes.values() if isinstance(outcome, HTTPClientError)]
    if len(errors) == fan_out:
        raise errors[0]
    return {
        "responses": [json.loads(outcome_json(index, outcomes[index])) for index in range(fan_out)],
        "debug_message": f"fetch executed in {elapsed:.2f} seconds.",
        **({"errors": len(errors)} if errors else {}),
    }

"""The calls of an aggregation, and their outcomes as JSON."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from httpx import HTTPError

from onloop.http import Arrival, BodyQuota, error_type, fan_out, fetch_json
from onloop.json_text import json_object
from upstream.upstreams import aggregated, aggregated_url

type Outcome = bytes | HTTPError
"""JSON text in UTF-8, or the error of the call."""


@lru_cache(maxsize=16)
def task_urls(url: str, count: int) -> tuple[str, ...]:
    """Return `url` with `task_id=0` to `task_id=count - 1` added to its query string."""
    parts = urlsplit(url)
    prefix = f"{parts.query}&" if parts.query else ""
    return tuple(
        urlunsplit(parts._replace(query=f"{prefix}task_id={task_id}")) for task_id in range(count)
    )


@asynccontextmanager
async def call_upstream(
    count: int, *, max_bytes: int | None = None
) -> AsyncIterator[AsyncIterator[Arrival[bytes]]]:
    """Call the upstream for `count` task ids within the limits of the settings, using `fan_out`.

    `max_bytes` lowers the maximum length of a body.
    """
    largest = settings.AGGREGATOR_MAX_RESPONSE_BYTES
    get = partial(
        aggregated.get_body,
        timeout=settings.AGGREGATOR_TIMEOUT,
        max_bytes=largest if max_bytes is None else min(max_bytes, largest),
        quota=BodyQuota(settings.AGGREGATOR_MAX_TOTAL_BYTES),
    )
    async with fan_out(
        partial(fetch_json, get),
        task_urls(aggregated_url(), count),
        concurrency=settings.AGGREGATOR_CONCURRENCY,
        deadline=settings.AGGREGATOR_DEADLINE,
    ) as arrivals:
        yield arrivals


def outcome_json(task_id: int, outcome: Outcome) -> bytes:
    """Return the JSON text of `outcome` in a response.

    A body is passed on unchanged. It is known to be JSON, and serializing it again would cost time
    and change it: `1e400` would become `Infinity`, which is not JSON.
    """
    if isinstance(outcome, bytes):
        return outcome
    error = {"type": error_type(outcome), "message": str(outcome)}
    return json_object({"task_id": task_id, "error": error})


def answer_json(outcomes: Sequence[Outcome], rest: Mapping[str, object]) -> bytes:
    """Return the JSON text of a response: the `outcomes` and the `rest`."""
    responses = [outcome_json(task_id, outcome) for task_id, outcome in enumerate(outcomes)]
    return json_object({"responses": responses, **rest})

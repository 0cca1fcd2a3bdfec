"""The service that is aggregated: its URLs, the calls, and their outcomes as JSON."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings

from onloop.asgi import served_port
from onloop.http import (
    Arrival,
    BodyQuota,
    HTTPClientError,
    fetch_json,
    fan_out,
    http_client,
    origin_of,
)
from onloop.json_text import json_object

type Outcome = bytes | HTTPClientError
"""JSON text in UTF-8, or the error of the call."""


def upstream_url() -> str:
    """Return `settings.AGGREGATOR_UPSTREAM_URL` or, if it is empty, our own sync API."""
    return settings.AGGREGATOR_UPSTREAM_URL or f"http://127.0.0.1:{served_port()}/sync/api/"


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
        async with fan_out(
            partial(fetch_json, get),
            task_urls(url, count),
            concurrency=settings.AGGREGATOR_CONCURRENCY,
            deadline=deadline,
        ) as arrivals:
            yield arrivals


def outcome_json(task_id: int, outcome: Outcome) -> bytes:
    """Return the JSON text of `outcome` in a response.

    A body is passed on unchanged. It is known to be JSON, and serializing it again would cost time
    and change it: `1e400` would become `Infinity`, which is not JSON.
    """
    if isinstance(outcome, bytes):
        return outcome
    error = {"type": outcome.type, "message": str(outcome)}
    return json_object({"task_id": task_id, "error": error})


def answer_json(outcomes: Sequence[Outcome], rest: Mapping[str, object]) -> bytes:
    """Return the JSON text of a response: the `outcomes` and the `rest`."""
    responses = [outcome_json(task_id, outcome) for task_id, outcome in enumerate(outcomes)]
    return json_object({"responses": responses, **rest})

import time
from collections.abc import Collection
from operator import attrgetter

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from httpx import HTTPError

from onloop.asgi import release_thread
from onloop.http import Arrival, DeadlineExceeded
from onloop.rate_limit import rate_limited
from upstream.calls import answer_json, call_upstream
from upstream.fan_out import fan_out_from_query


@require_safe
@rate_limited("AGGREGATOR_RATE_LIMIT")
@fan_out_from_query
async def api_aggregated(request: HttpRequest, fan_out: int) -> HttpResponse:
    """Call the upstream once per task id, concurrently, and return all its responses."""
    release_thread()  # Middleware may have used the database: hold no connection while waiting.
    start = time.perf_counter()
    async with call_upstream(fan_out) as arrivals:
        arrived = sorted([arrival async for arrival in arrivals], key=attrgetter("index"))
    elapsed = time.perf_counter() - start

    outcomes = [arrival.outcome for arrival in arrived]
    errors = [outcome for outcome in outcomes if isinstance(outcome, HTTPError)]
    rest: dict[str, str | int] = {"debug_message": f"fetch executed in {elapsed:.2f} seconds."}
    if errors:
        rest["errors"] = len(errors)
    return HttpResponse(
        answer_json(outcomes, rest),
        content_type="application/json",
        status=_failure_status(errors) if len(errors) == len(outcomes) else 200,
        headers={"Server-Timing": _server_timing(start, arrived)},
    )


def _server_timing(start: float, arrived: Collection[Arrival[bytes]]) -> str:
    """Return the times in milliseconds, for browsers: https://w3c.github.io/server-timing/"""
    total = (time.perf_counter() - start) * 1000
    slowest = max(arrival.elapsed for arrival in arrived) * 1000
    return f'total;dur={total:.1f}, upstream;dur={slowest:.1f};desc="slowest call"'


def _failure_status(errors: Collection[HTTPError]) -> int:
    return 504 if all(isinstance(error, DeadlineExceeded) for error in errors) else 502

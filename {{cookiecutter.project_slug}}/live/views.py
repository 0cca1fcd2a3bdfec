from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_safe

from live.run import perform_run
from live.shared_runs import ENDS, follow_run, is_known, unknown_run
from onloop.rate_limit import rate_limited
from onloop.redis import redis_required
from onloop.streams import Event, EventStreamResponse
from onloop.views import error_response
from upstream.fan_out import fan_out_from_query

DONE = "done"


@require_safe
async def page(request: HttpRequest) -> HttpResponse:
    """Show a fan-out live, with links to the endpoints."""
    context = {
        "site_name": settings.SITE_NAME,
        "fan_out": settings.AGGREGATOR_FAN_OUT,
        "max_fan_out": settings.AGGREGATOR_MAX_FAN_OUT,
    }
    return render(request, "live/page.html", context)


@require_GET
@rate_limited("AGGREGATOR_RATE_LIMIT")
@fan_out_from_query
async def api_stream(request: HttpRequest, fan_out: int) -> HttpResponseBase:
    """Call the upstream like api_aggregated/, and send each response as an event when it arrives.

    A browser reconnects when a stream has ended. If its Last-Event-ID shows that it has seen the
    end of the run, status 204 makes it stop. A run that was cut off cannot be resumed, so a new one
    starts.
    """
    if request.headers.get("Last-Event-ID") == DONE:
        return HttpResponse(status=204)
    return EventStreamResponse(_events(fan_out))


async def _events(count: int) -> AsyncGenerator[Event]:
    number = 0
    async with aclosing(perform_run(count)) as reports:
        async for report in reports:
            yield replace(report, id=DONE if report.name == "done" else str(number))
            number += 1


@require_GET
@rate_limited("AGGREGATOR_RATE_LIMIT")
@redis_required
async def run_stream(request: HttpRequest, run: str) -> HttpResponseBase:
    """Send the events of a run that was started by WebSocket: all, or those after Last-Event-ID.

    A browser that has seen the end gets status 204, as in `api_stream`.
    """
    seen = request.headers.get("Last-Event-ID")
    if seen == DONE:
        return HttpResponse(status=204)
    if not await is_known(run):
        return error_response(404, "unknown_run", unknown_run(run))
    return EventStreamResponse(_run_events(run, seen))


async def _run_events(run: str, seen: str | None) -> AsyncGenerator[Event]:
    async with aclosing(follow_run(run, seen)) as reports:
        async for report in reports:
            yield replace(report, id=DONE) if report.name in ENDS else report

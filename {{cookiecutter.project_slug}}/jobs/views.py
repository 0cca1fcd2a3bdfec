import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.exceptions import TaskResultDoesNotExist
from django.urls import reverse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST, require_safe

from aggregator.fan_out import fan_out_from_query
from jobs.tasks import aggregate
from onloop.rate_limit import rate_limited
from onloop.redis import redis_required
from onloop.streams import Event, EventStreamResponse
from onloop.tasks import queue
from onloop.tasks.watch import JobsUnavailableError, Result, follow
from onloop.views import error_response

DONE = "done"
RETRY_AFTER_SECONDS = 10


@csrf_exempt
@require_POST
@rate_limited("AGGREGATOR_RATE_LIMIT")
@redis_required
@fan_out_from_query
async def enqueue_aggregation(request: HttpRequest, fan_out: int) -> HttpResponseBase:
    """Enqueue what api_aggregated/ does, and answer 202 with the place of the job.

    While `settings.JOBS_MAX_QUEUED` jobs wait already, answer 503 with `Retry-After`.

    Without a CSRF token: that guards what a visitor's cookies allow, and this asks for no cookie.
    A view that does has to authenticate its client by a header, or keep the token.
    """
    if await sync_to_async(queue.is_full)(settings.JOBS_MAX_QUEUED):
        return queue_full()
    result = await aggregate.aenqueue(fan_out)
    location = reverse("job", args=[result.id])
    return JsonResponse(job_json(result), status=202, headers={"Location": location})


@require_safe
@redis_required
async def job(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """Answer how a job is doing."""
    try:
        return JsonResponse(job_json(await default_task_backend.aget_result(job_id)))
    except TaskResultDoesNotExist:
        return not_found(job_id)


@require_GET
@redis_required
async def job_events(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """Send a job as an event, again after each change, and end when it is finished.

    Then status 204 asks the browser to stay away, as in api_stream(). Where the jobs cannot be
    looked at for half a minute, an event `unavailable` ends the stream, and the browser comes back.
    """
    if request.headers.get("Last-Event-ID") == DONE:
        return HttpResponse(status=204)
    try:
        result = await default_task_backend.aget_result(job_id)
    except TaskResultDoesNotExist:
        return not_found(job_id)
    return EventStreamResponse(_events(result))


async def _events(job: Result) -> AsyncGenerator[Event]:
    async with aclosing(follow(job)) as changes:
        try:
            async for result in changes:
                state = f"{result.attempts}-{result.status.lower()}"
                event_id = DONE if result.is_finished else state
                yield Event("job", json.dumps(job_json(result)), event_id)
        except JobsUnavailableError as error:
            told = {"error": {"type": "unavailable", "message": str(error)}}
            yield Event("unavailable", json.dumps(told))


def job_json(result: Result) -> dict[str, object]:
    """Return what is told of a job: its `result` or its `error` once it is finished."""
    successful = result.status == TaskResultStatus.SUCCESSFUL
    return {
        "id": result.id,
        "task": result.task.module_path,
        "status": result.status,
        "attempts": result.attempts,
        "enqueued_at": _time(result.enqueued_at),
        "started_at": _time(result.started_at),
        "finished_at": _time(result.finished_at),
        "result": result.return_value if successful else None,
        "error": _error(result),
    }


def not_found(job_id: str) -> JsonResponse:
    """Answer that there is no such job."""
    return error_response(404, "not_found", f"There is no job {job_id!r}.")


def queue_full() -> JsonResponse:
    """Answer that too many jobs wait already."""
    message = f"{settings.JOBS_MAX_QUEUED} jobs are waiting already. Try again later."
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return error_response(503, "queue_full", message, headers)


def _error(result: Result) -> dict[str, str] | None:
    if not result.errors:
        return None
    error = result.errors[-1]
    last_line = error.traceback.strip().rpartition("\n")[2]
    message = last_line.removeprefix(f"{error.exception_class_path}: ")
    return {"type": error.exception_class_path, "message": message}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

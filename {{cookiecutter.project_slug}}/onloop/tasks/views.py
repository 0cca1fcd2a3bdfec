"""Views of a job's state and of its changes as a stream, and helpers for views that enqueue."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from functools import wraps

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.tasks import TaskResultStatus, default_task_backend
from django.tasks.exceptions import TaskResultDoesNotExist
from django.urls import reverse
from django.views.decorators.http import require_GET, require_safe

from onloop.conf import settings
from onloop.redis import redis_required
from onloop.streams import Event, EventStreamResponse
from onloop.tasks import queue
from onloop.tasks.watch import JobsUnavailableError, Result, follow
from onloop.views import View, error_response

__all__ = ["enqueued", "job", "job_events", "job_json", "queue_limited"]

_DONE = "done"
_RETRY_AFTER_SECONDS = 10


@require_safe
@redis_required
async def job(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """Return the state of a job as JSON, or 404."""
    try:
        return JsonResponse(job_json(await default_task_backend.aget_result(job_id)))
    except TaskResultDoesNotExist:
        return _not_found(job_id)


@require_GET
@redis_required
async def job_events(request: HttpRequest, job_id: str) -> HttpResponseBase:
    """Send the state of a job as an event, now and after each change, until it is finished.

    A browser that reconnects after the end gets status 204 and stops. If the backend is unreachable
    for half a minute, an event `unavailable` ends the stream, and the browser reconnects.
    """
    if request.headers.get("Last-Event-ID") == _DONE:
        return HttpResponse(status=204)
    try:
        result = await default_task_backend.aget_result(job_id)
    except TaskResultDoesNotExist:
        return _not_found(job_id)
    return EventStreamResponse(_events(result))


def queue_limited[**P](view: View[P]) -> View[P]:
    """Answer 503 with `Retry-After` while `settings.JOBS_MAX_QUEUED` jobs are waiting."""

    @wraps(view)
    async def wrapper(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        if await sync_to_async(queue.is_full)(settings.JOBS_MAX_QUEUED):
            message = f"{settings.JOBS_MAX_QUEUED} jobs are waiting already. Try again later."
            headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
            return error_response(503, "queue_full", message, headers)
        return await view(request, *args, **kwargs)

    return wrapper


def enqueued(result: Result) -> JsonResponse:
    """Return a 202 response with the state of a new job, and the URL named `job` as `Location`."""
    location = reverse("job", args=[result.id])
    return JsonResponse(job_json(result), status=202, headers={"Location": location})


def job_json(result: Result) -> dict[str, object]:
    """Return the state of a job for a JSON response.

    `result` is set once the job has succeeded, and `error` once it has failed. Times are in ISO
    8601.
    """
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


async def _events(job: Result) -> AsyncGenerator[Event]:
    async with aclosing(follow(job)) as changes:
        try:
            async for result in changes:
                state = f"{result.attempts}-{result.status.lower()}"
                event_id = _DONE if result.is_finished else state
                yield Event("job", json.dumps(job_json(result)), event_id)
        except JobsUnavailableError as error:
            details = {"error": {"type": "unavailable", "message": str(error)}}
            yield Event("unavailable", json.dumps(details))


def _not_found(job_id: str) -> JsonResponse:
    return error_response(404, "not_found", f"There is no job {job_id!r}.")


def _error(result: Result) -> dict[str, str] | None:
    if not result.errors:
        return None
    error = result.errors[-1]
    last_line = error.traceback.strip().rpartition("\n")[2]
    message = last_line.removeprefix(f"{error.exception_class_path}: ")
    return {"type": error.exception_class_path, "message": message}


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None

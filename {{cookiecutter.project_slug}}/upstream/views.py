from time import sleep

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from onloop.asgi import thread_bulkhead
from onloop.views import error_response
from upstream.faults import injected_faults


# One thread for each call that the HTTP client makes concurrently, so that the calls of an
# aggregation do not wait for each other, and other sync views not for them.
@thread_bulkhead(1000)
@require_safe
def sync_api(request: HttpRequest) -> JsonResponse:
    """Answer slowly: the upstream of a project that has no other yet."""
    try:
        delay, fails = injected_faults(request.GET)
    except ValueError as error:
        return error_response(400, "bad_request", str(error))
    sleep(delay)
    if fails:
        return error_response(503, "unavailable", "This call fails because of `fail` in its query.")
    return JsonResponse({"message": "Hello World!", "task_id": request.GET.get("task_id")})

from time import sleep

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from onloop.asgi import thread_bulkhead


# One thread for each call that the HTTP client makes concurrently, so that the calls of an
# aggregation do not wait for each other, and other sync views not for them.
@thread_bulkhead(1000)
@require_safe
def sync_api(request: HttpRequest) -> JsonResponse:
    """Answer slowly: the upstream of a project that has no other yet."""
    sleep(settings.SYNC_API_DELAY)
    return JsonResponse({"message": "Hello World!", "task_id": request.GET.get("task_id")})

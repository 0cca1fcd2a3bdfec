import time

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def sync_api(request: HttpRequest) -> JsonResponse:
    """Answer slowly: the upstream of a project that has no other yet."""
    time.sleep(settings.SYNC_API_DELAY)
    return JsonResponse({"message": "Hello World!", "task_id": request.GET.get("task_id")})

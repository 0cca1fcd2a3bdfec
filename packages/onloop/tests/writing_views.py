"""Views that write to the database."""

from django.contrib.auth import get_user_model
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

User = get_user_model()


@csrf_exempt
async def create(request: HttpRequest) -> JsonResponse:
    await User.objects.acreate(username=request.GET.get("name", "new"))
    names = User.objects.order_by("username").values_list("username", flat=True)
    return JsonResponse({"users": [name async for name in names]})


@csrf_exempt
def sync_create(request: HttpRequest) -> JsonResponse:
    User.objects.create(username=request.GET.get("name", "new"))
    names = User.objects.order_by("username").values_list("username", flat=True)
    return JsonResponse({"users": list(names)})


urlpatterns = [path("async/", create), path("sync/", sync_create)]

"""The project's URLs, those of the packages, and a view for htmx."""

from config.urls import urlpatterns as project_urls
from django.http import HttpRequest, JsonResponse
from django.urls import include, path


async def htmx(request: HttpRequest) -> JsonResponse:
    """Return whether htmx sent the request."""
    return JsonResponse({"htmx": bool(getattr(request, "htmx", False))})


urlpatterns = [
    *project_urls,
    path("__debug__/", include("debug_toolbar.urls")),
    path("accounts/", include("allauth.urls")),
    path("htmx/", htmx),
]

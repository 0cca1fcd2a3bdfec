"""The project's URLs, those of the packages, and a view that htmx has something to tell."""

from config.urls import urlpatterns as project_urls
from django.http import HttpRequest, JsonResponse
from django.urls import include, path


async def htmx(request: HttpRequest) -> JsonResponse:
    """Answer whether htmx has sent the request."""
    return JsonResponse({"htmx": bool(getattr(request, "htmx", False))})


urlpatterns = [
    *project_urls,
    path("__debug__/", include("debug_toolbar.urls")),
    path("accounts/", include("allauth.urls")),
    path("htmx/", htmx),
]

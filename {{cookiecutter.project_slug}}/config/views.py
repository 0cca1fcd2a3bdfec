"""The page at `/`."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
async def home(request: HttpRequest) -> HttpResponse:
    """Say what runs here, with links to what can be asked."""
    return render(request, "home.html", {"site_name": settings.SITE_NAME})

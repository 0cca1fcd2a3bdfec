"""The probes, and a view that calls another server."""

import asyncio

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from onloop.http import http_client


async def calls(request: HttpRequest, count: int) -> HttpResponse:
    """Call `?url=` so many times at once."""
    async with http_client() as client:
        url = request.GET.get("url", "")
        await asyncio.gather(
            *(client.get(url, timeout=30.0, max_bytes=1_000) for _ in range(count))
        )
    return HttpResponse()


urlpatterns = [path("calls/<int:count>/", calls), path("", include("onloop.probes.urls"))]

"""The project's application with a view that calls other servers."""

import asyncio

from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.http import http_client
from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]


async def calls(request: HttpRequest, count: int) -> HttpResponse:
    """Ask `?url=` so many times at once."""
    async with http_client() as client:
        url = request.GET.get("url", "")
        await asyncio.gather(
            *(client.get(url, timeout=30.0, max_bytes=1_000) for _ in range(count))
        )
    return HttpResponse()


urlpatterns.append(path("calls/<int:count>/", calls))

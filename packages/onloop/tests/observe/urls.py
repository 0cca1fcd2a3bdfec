"""The probes, and a view that calls another server."""

import asyncio

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from onloop.http import Upstream

server = {"url": ""}
called = Upstream(
    "called",
    base_url=lambda: server["url"],
    headers={"Authorization": "Bearer hunter2"},
    retries=0,
)


async def calls(request: HttpRequest, count: int) -> HttpResponse:
    """Call `?url=` so many times at once."""
    server["url"] = request.GET.get("url", "")
    await asyncio.gather(*(called.get("") for _ in range(count)))
    return HttpResponse()


urlpatterns = [path("calls/<int:count>/", calls), path("", include("onloop.probes.urls"))]

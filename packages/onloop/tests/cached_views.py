"""The project's application with a view that calls another server through a cache."""

import httpx
from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.http.cache import Cache, CacheTransport
from tests.http.cache.buffered import BufferedTransport
from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]

transport = CacheTransport(BufferedTransport(), "origin", Cache())


async def cached(request: HttpRequest) -> HttpResponse:
    """Get `?url=`, and return its body after the outcome."""
    client = httpx.AsyncClient(transport=transport)
    response = await client.get(request.GET["url"])
    return HttpResponse(f"{response.extensions['cache']} {response.text}")


urlpatterns.append(path("cached/", cached))

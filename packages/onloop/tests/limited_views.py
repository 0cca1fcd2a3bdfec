"""The project's application with a view that answers a client five times an hour."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.rate_limit import rate_limited
from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]

settings.HELLO_RATE_LIMIT = (5, 3600)


@rate_limited("HELLO_RATE_LIMIT")
async def hello(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"hello {name}")


urlpatterns.append(path("hello/<name>/", hello))

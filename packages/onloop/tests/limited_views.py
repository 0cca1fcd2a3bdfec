"""A URLconf with a view that answers a client five times an hour."""

from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.rate_limit import rate_limited


@rate_limited("HELLO_RATE_LIMIT")
async def hello(request: HttpRequest, name: str) -> HttpResponse:
    return HttpResponse(f"hello {name}")


urlpatterns = [path("hello/<name>/", hello)]

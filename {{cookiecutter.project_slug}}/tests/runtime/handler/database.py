"""The project's application whose answers come from the database."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from config.asgi import application
from config.urls import urlpatterns

__all__ = ["application"]

LARGE = 2**24  # More bytes than the system takes without a reader.


def one() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return str(cursor.fetchone()[0])


def small(request: HttpRequest) -> HttpResponse:
    return HttpResponse(one())


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(one() * LARGE)


urlpatterns += [path("one/", small), path("large/", large)]

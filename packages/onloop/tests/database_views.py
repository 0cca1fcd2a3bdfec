"""The project's application with a view that asks the database, whatever that holds."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.probes import health
from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]

health.DATABASE_SECONDS = 0.5


def select_one(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")
    return HttpResponse("1")


def wait_for_lock(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(1)")
        cursor.execute("SELECT pg_advisory_unlock_shared(1)")
    return HttpResponse("1")


urlpatterns += [path("select-one/", select_one), path("wait-for-lock/", wait_for_lock)]

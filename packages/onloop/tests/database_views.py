"""A URLconf with views that ask PostgreSQL, and probes that lose patience early."""

from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from onloop import postgres
from onloop.probes import health

# Silence is noticed after these times.
health.DATABASE_SECONDS = 0.5
postgres.CHECK_SECONDS = 1.0
postgres.OwnConnection.seconds = 1.0


def select_one(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(0.05)")
    return HttpResponse("1")


def wait_for_lock(request: HttpRequest) -> HttpResponse:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock_shared(1)")
        cursor.execute("SELECT pg_advisory_unlock_shared(1)")
    return HttpResponse("1")


urlpatterns = [
    path("select-one/", select_one),
    path("wait-for-lock/", wait_for_lock),
    path("", include("onloop.probes.urls")),
]

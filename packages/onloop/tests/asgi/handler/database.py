"""The project's application with answers, and an error page, that come from the database."""

from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]

LARGE = 2**24  # More bytes than the system takes without a reader.


def one() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return str(cursor.fetchone()[0])


def context(request: HttpRequest) -> dict[str, object]:
    return {"one": one}


def small(request: HttpRequest) -> HttpResponse:
    return HttpResponse(one())


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(one() * LARGE)


urlpatterns += [path("one/", small), path("large/", large)]
options: Any = settings.TEMPLATES[0]["OPTIONS"]
options["context_processors"] += ["tests.asgi.handler.database.context"]
options["loaders"] = [("django.template.loaders.locmem.Loader", {"404.html": "{{ one }}"})]
settings.TEMPLATES[0]["APP_DIRS"] = False

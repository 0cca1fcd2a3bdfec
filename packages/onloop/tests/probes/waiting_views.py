"""The project's application with a sync view that keeps its thread."""

import time

from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.project.asgi import application
from tests.project.urls import urlpatterns

__all__ = ["application"]


def wait(request: HttpRequest) -> HttpResponse:
    time.sleep(30)
    return HttpResponse()


urlpatterns += [path("wait/", wait)]

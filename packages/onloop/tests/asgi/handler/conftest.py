"""A project with the settings of `startproject` for these tests, whatever those of this one are."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.urls import path
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler

SIGNALS = [request_started, request_finished]


@pytest.fixture(autouse=True)
def _startproject(settings: Settings) -> None:
    settings.ROOT_URLCONF = "tests.asgi.handler.urls"
    settings.ALLOWED_HOSTS = ["testserver", "www.testserver", "127.0.0.1"]
    settings.SYNC_THREADS = 2
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.MIDDLEWARE = [name for name in settings.MIDDLEWARE if name.startswith("django.")]
    settings.SECURE_CSP = {}


@pytest.fixture
def serve(settings: Settings) -> Callable[..., EventLoopASGIHandler]:
    """Makes a handler whose URL /view/ is the given view."""

    def serve(view: Callable[..., Any]) -> EventLoopASGIHandler:
        urlconf = ModuleType("urlconf")
        urlconf.urlpatterns = [path("view/", view)]  # type: ignore[attr-defined]
        settings.ROOT_URLCONF = urlconf
        return EventLoopASGIHandler()

    return serve

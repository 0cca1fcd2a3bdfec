"""The middleware against Django's own: the same requests have to get the same responses."""

import random
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync, sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.sessions.backends.file import SessionStore as FileStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.test import RequestFactory
from django.utils.module_loading import import_string
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.middleware import EVENT_LOOP_MIDDLEWARE, import_middleware
from tests.asgi.handler.exchange import Answer, Browser
from tests.asgi.handler.talks import (
    CSRF_TALKS,
    ENGINES,
    INTERRUPTION,
    MESSAGE_TALKS,
    PLAIN_TALKS,
    REDIRECTING,
    SESSION_TALKS,
    STORAGES,
    STRICT,
    TRUSTING,
    Talk,
)

User = get_user_model()

pytestmark = pytest.mark.django_db(transaction=True)


class OtherStorage(CookieStorage):
    """A message storage of a third party."""


class OwnCommonMiddleware(CommonMiddleware):
    """A subclass of the project's, which stays as it is."""


def cases(subject: str, talks: dict[str, Talk], **options: dict[str, Any]) -> list[Any]:
    """All talks with each option, and with the first option for both kinds of views.

    With the other options the talks take turns: one with the async views, the next with the sync.
    """
    first, *others = [
        (f"{subject}-{option}", talks, overrides) for option, overrides in options.items()
    ]
    return [
        *(pytest.param(*first[1:], [kind], id=f"{first[0]}-{kind}") for kind in ("async", "sync")),
        *(pytest.param(*rest, ["async", "sync"], id=name) for name, *rest in others),
    ]


@pytest.mark.parametrize(
    ("talks", "overrides", "views"),
    [
        *cases(
            "plain",
            PLAIN_TALKS,
            default={},
            strict=STRICT,
            redirecting=REDIRECTING,
            www={"PREPEND_WWW": True, "DISALLOWED_USER_AGENTS": [re.compile("Bot")]},
            bare={"APPEND_SLASH": False, "SECURE_CONTENT_TYPE_NOSNIFF": False},
            debug={"DEBUG": True},
            own={"MIDDLEWARE": ["tests.asgi.handler.test_middleware.OwnCommonMiddleware"]},
        ),
        *cases(
            "session",
            SESSION_TALKS,
            **{
                name: {"SESSION_ENGINE": f"django.contrib.sessions.backends.{name}"}
                for name in ENGINES
            },
            always={"SESSION_SAVE_EVERY_REQUEST": True},
            closing={"SESSION_EXPIRE_AT_BROWSER_CLOSE": True, **STRICT},
        ),
        *cases("interruption", INTERRUPTION, default={}),
        *cases(
            "message",
            MESSAGE_TALKS,
            **{
                name: {"MESSAGE_STORAGE": f"django.contrib.messages.storage.{name}"}
                for name in STORAGES
            },
            other={"MESSAGE_STORAGE": "tests.asgi.handler.test_middleware.OtherStorage"},
            # Django's debug page reads the session in a thread whose connection nobody closes.
            debug={
                "DEBUG": True,
                "SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies",
                "MESSAGE_STORAGE": "django.contrib.messages.storage.cookie.CookieStorage",
            },
        ),
        *cases(
            "csrf",
            CSRF_TALKS,
            default=TRUSTING,
            sessions={**TRUSTING, "CSRF_USE_SESSIONS": True},
            view={**TRUSTING, "CSRF_FAILURE_VIEW": "tests.asgi.handler.urls.csrf_failure"},
            domain={"CSRF_COOKIE_DOMAIN": "testserver", "CSRF_COOKIE_HTTPONLY": True},
        ),
    ],
)
async def test_answers_are_those_of_django(
    talks: dict[str, Talk],
    overrides: dict[str, Any],
    views: list[str],
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    for name, value in overrides.items():
        setattr(settings, name, value)
    monkeypatch.setattr(FileStore, "_storage_path", str(tmp_path), raising=False)
    await sync_to_async(User.objects.create_user)("ada")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now)

    theirs, own = ASGIHandler(), EventLoopASGIHandler()
    for (name, talk), kind in zip(talks.items(), cycle(views), strict=False):
        django = await record(theirs, talk, kind, monkeypatch, tmp_path)
        ours = await record(own, talk, kind, monkeypatch, tmp_path)
        assert django.answers
        assert (name, ours) == (name, django)


@contextmanager
def without_threads() -> Iterator[None]:
    """Run synchronous code where it is called.

    Django's handler goes to a thread some fifteen times for each request, which takes most of the
    time, and answers the same.
    """

    async def call(self: SyncToAsync[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.func(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SyncToAsync, "__call__", call)
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        yield


@dataclass
class Record:
    answers: list[tuple[int, list[tuple[str, str]], bytes]]
    cookies: dict[str, str]
    sessions: list[tuple[str, dict[str, Any]]]


async def record(
    app: ASGIHandler, talk: Talk, views: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Record:
    """What a browser and the database hold after the talk, with the same dice each time."""
    chance = random.Random(0)  # noqa: S311
    monkeypatch.setattr(secrets, "choice", chance.choice)
    monkeypatch.setattr(secrets, "token_urlsafe", lambda n=32: chance.randbytes(n).hex())
    browser = Browser(app)
    with nullcontext() if isinstance(app, EventLoopASGIHandler) else without_threads():
        await talk(browser, views)
    sessions = await sync_to_async(take_sessions)(tmp_path)
    return Record([comparable(answer) for answer in browser.answers], browser.cookies, sessions)


def take_sessions(tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the sessions in the database, and forget all that the talk has left behind."""
    sessions = list(Session.objects.order_by("session_key"))
    if sessions:
        Session.objects.all().delete()
    User.objects.update(last_login=None)
    cache.clear()
    for path in tmp_path.iterdir():
        path.unlink()
    return [(session.session_key, session.get_decoded()) for session in sessions]


def comparable(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    if b"Traceback" in answer.body or b"Request information" in answer.body:
        # A debug page shows the call stack, which is not the same and need not be.
        headers = [(k, v) for k, v in answer.headers if k != "Content-Length"]
        return answer.status, headers, b""
    return answer.status, answer.headers, answer.body


@pytest.mark.parametrize("handler_class", [ASGIHandler, EventLoopASGIHandler])
async def test_csrf_in_sessions_needs_the_session_middleware(
    handler_class: type[ASGIHandler], settings: Settings
) -> None:
    settings.CSRF_USE_SESSIONS = True
    settings.MIDDLEWARE = ["django.middleware.csrf.CsrfViewMiddleware"]
    with pytest.raises(ImproperlyConfigured, match="SessionMiddleware must appear before"):
        await Browser(handler_class()).ask("/async/plain/")


def test_each_class_is_a_subclass_of_the_one_it_stands_for() -> None:
    for path, mixin in EVENT_LOOP_MIDDLEWARE.items():
        middleware: Any = import_middleware(path)
        assert issubclass(middleware, import_string(path))
        assert issubclass(middleware, mixin)
        assert middleware.__name__ == path.rpartition(".")[2]


def test_other_classes_stay_as_they_are() -> None:
    path = "tests.asgi.handler.test_middleware.OwnCommonMiddleware"
    assert import_middleware(path) is OwnCommonMiddleware


def test_in_a_synchronous_stack_it_is_djangos(rf: RequestFactory) -> None:
    """Under a sync-only middleware Django runs the middleware outside it synchronously."""
    middleware_class: Any = import_middleware("django.middleware.csrf.CsrfViewMiddleware")
    middleware = middleware_class(lambda request: None)
    assert middleware.process_view.__func__ is CsrfViewMiddleware.process_view
    response = middleware.process_view(rf.post("/"), lambda request: None, (), {})
    assert response.status_code == 403

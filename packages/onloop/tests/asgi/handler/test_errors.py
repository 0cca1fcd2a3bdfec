"""Errors are answered as Django answers them, on the event loop where nothing waits."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import got_request_exception
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.log import AdminEmailHandler
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from tests.asgi.handler.exchange import Browser, ask

User = get_user_model()

ERRORS = (
    Http404,
    PermissionDenied,
    BadRequest,
    MultiPartParserError,
    SuspiciousOperation,
    ZeroDivisionError,
)
PAGE = "on a thread: {{ request.path }} {% csrf_token %}"
Serve = Callable[..., EventLoopASGIHandler]


def raising(error: type[Exception]) -> Callable[..., Any]:
    async def view(request: HttpRequest) -> HttpResponse:
        raise error("what went wrong")

    return view


def page(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return HttpResponse(threading.current_thread().name, status=418)


@pytest.fixture
def templates(settings: Settings) -> dict[str, str]:
    """The project's templates, by their names."""
    templates: dict[str, str] = {}
    loader = ("django.template.loaders.locmem.Loader", templates)
    [engine] = settings.TEMPLATES
    settings.TEMPLATES = [
        {
            **engine,
            "APP_DIRS": False,
            "OPTIONS": {
                **engine["OPTIONS"],
                "loaders": [("django.template.loaders.cached.Loader", [loader])],
            },
        }
    ]
    return templates


class Mail(AdminEmailHandler):
    """Mails errors to the admins, as Django's logger does by default; here none is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.setLevel(logging.ERROR)
        self.threads: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.threads.append(threading.current_thread().name[:5])


@pytest.fixture
def mail() -> Iterator[Mail]:
    logger = logging.getLogger("django")
    handler = Mail()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@pytest.mark.parametrize("status", [400, 404, 429, 500, 502, 503])
async def test_error_that_a_view_returns_makes_no_hop(
    status: int, serve: Serve, hops: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    async def view(request: HttpRequest) -> JsonResponse:
        return JsonResponse({}, status=status)

    assert (await ask(serve(view), "/view/")).status == status
    assert not hops
    assert [record.levelname for record in caplog.records] == [
        "ERROR" if status >= 500 else "WARNING"
    ]


@pytest.mark.parametrize("error", ERRORS)
async def test_error_without_a_template_makes_no_hop(
    error: type[Exception], serve: Serve, hops: list[str]
) -> None:
    app = serve(raising(error))
    await ask(app, "/view/")  # Looks for the template.
    hops.clear()
    await ask(app, "/view/")
    assert not hops


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_unknown_url_without_a_template_makes_no_hop(method: str, hops: list[str]) -> None:
    app = EventLoopASGIHandler()
    await ask(app, "/none")
    hops.clear()
    assert (await ask(app, "/none", method=method)).status == 404
    assert not hops


@pytest.mark.usefixtures("mail")
async def test_unknown_url_that_is_not_mailed_makes_no_hop(hops: list[str]) -> None:
    app = EventLoopASGIHandler()
    await ask(app, "/none")
    hops.clear()
    await ask(app, "/none")
    assert not hops


def sessions(settings: Settings) -> None:
    settings.CSRF_USE_SESSIONS = True


def debugging(settings: Settings) -> None:
    settings.DEBUG = True


@pytest.mark.parametrize("setting", [sessions, debugging])
async def test_page_that_may_wait_makes_one_hop(
    setting: Callable[[Settings], None], settings: Settings, hops: list[str]
) -> None:
    app = EventLoopASGIHandler()
    await ask(app, "/none")
    setting(settings)
    hops.clear()
    assert (await ask(app, "/none")).status == 404
    assert len([hop for hop in hops if "response_for_exception" in hop]) == 1


async def test_body_is_searched_for_a_token_in_one_hop(hops: list[str]) -> None:
    browser = Browser(EventLoopASGIHandler())
    await browser.ask("/async/token/")
    await browser.ask("/none")
    hops.clear()
    assert (await browser.ask("/none", method="POST")).status == 404
    assert len(calls(hops)) == 1


@pytest.mark.parametrize("error", ERRORS)
async def test_template_is_rendered_on_the_requests_thread(
    error: type[Exception], serve: Serve, hops: list[str], templates: dict[str, str]
) -> None:
    templates.update(dict.fromkeys(["400.html", "403.html", "404.html", "500.html"], PAGE))
    answer = await ask(serve(raising(error)), "/view/")
    assert "on a thread:" in answer.text
    assert len(calls(hops)) == 1


async def test_views_of_the_project_are_called_on_the_requests_thread(
    serve: Serve, settings: Settings, hops: list[str]
) -> None:
    app = serve(raising(ZeroDivisionError))
    settings.ROOT_URLCONF.handler404 = settings.ROOT_URLCONF.handler500 = page
    for url in ("/view/", "/none"):
        hops.clear()
        answer = await ask(app, url)
        assert (answer.status, answer.text[:5]) == (418, "sync_")
        assert len(calls(hops)) == 1


async def test_mails_are_sent_on_the_requests_thread(
    serve: Serve, hops: list[str], mail: Mail
) -> None:
    async def view(request: HttpRequest) -> JsonResponse:
        return JsonResponse({}, status=503)

    for answering in (view, raising(ZeroDivisionError), raising(SuspiciousOperation)):
        app = serve(answering)
        hops.clear()
        await ask(app, "/view/")
        assert len(calls(hops)) == 1
    assert mail.threads == ["sync_"] * 3


async def test_receivers_of_an_exception_are_called_on_the_requests_thread(
    serve: Serve, hops: list[str]
) -> None:
    names: list[str] = []

    def receiver(sender: object, **kwargs: object) -> None:
        names.append(threading.current_thread().name)

    app = serve(raising(ZeroDivisionError))
    got_request_exception.connect(receiver)
    try:
        await ask(app, "/view/")
    finally:
        got_request_exception.disconnect(receiver)
    assert [name[:5] for name in names] == ["sync_"]
    assert len(calls(hops)) == 1


class Answering:
    """Middleware that turns exceptions into answers, synchronously."""

    sync_capable = async_capable = True

    def __new__(cls, get_response: Any) -> Any:
        get_response.process_exception = cls.process_exception
        return get_response

    @staticmethod
    def process_exception(request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse(threading.current_thread().name)


async def test_exceptions_go_to_middleware_on_the_requests_thread(
    serve: Serve, settings: Settings
) -> None:
    settings.MIDDLEWARE = [f"{__name__}.Answering"]
    answer = await ask(serve(raising(ZeroDivisionError)), "/view/")
    assert answer.text.startswith("sync_")


async def test_broken_view_of_errors_is_djangos_to_answer(serve: Serve, settings: Settings) -> None:
    app = serve(raising(ZeroDivisionError))
    assert (await ask(app, "/none")).status == 404
    settings.ROOT_URLCONF.handler404 = "nowhere.page"
    assert (await ask(app, "/none")).status == 500


async def test_view_may_be_any_callable(serve: Serve) -> None:
    @dataclass
    class View:
        """Has an __eq__, and so no hash."""

        text: str

        def __call__(self, request: HttpRequest) -> HttpResponse:
            return HttpResponse(self.text)

    assert (await ask(serve(View("any")), "/view/")).text == "any"


@pytest.mark.django_db(transaction=True)
async def test_page_that_uses_the_database_leaves_no_connection(
    serve: Serve, settings: Settings
) -> None:
    settings.SYNC_THREADS = 1
    used: list[Any] = []

    def counting(request: HttpRequest, exception: Exception) -> HttpResponse:
        used.append(connections[DEFAULT_DB_ALIAS])
        return HttpResponse(str(User.objects.count()), status=404)

    app = serve(raising(Http404))
    settings.ROOT_URLCONF.handler404 = counting
    for _ in range(2):  # The second has the only thread when the first has left it.
        assert (await ask(app, "/view/")).text == "0"
    assert used[0].connection is None


@pytest.mark.parametrize("error", ERRORS)
async def test_log_and_page_are_djangos(
    error: type[Exception], serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    ours = serve(raising(error))
    seen = []
    for app in (ASGIHandler(), ours, ours):  # Ours in a thread, and then on the event loop.
        caplog.clear()
        answer = await ask(app, "/view/")
        seen.append((answer, [comparable(record) for record in caplog.records]))
    assert seen[0][1]
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


def comparable(record: logging.LogRecord) -> tuple[Any, ...]:
    error = record.exc_info and record.exc_info[0]
    status = record.status_code  # type: ignore[attr-defined]
    request = record.request  # type: ignore[attr-defined]
    return record.name, record.levelname, record.getMessage(), status, error, request.path


def calls(hops: list[str]) -> list[str]:
    return [hop for hop in hops if hop.startswith("sync_to_async")]

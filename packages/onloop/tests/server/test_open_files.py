"""The server may have as many files open as the hard limit allows."""

import resource
import sys
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from django.core.management import call_command
from pytest_django import Settings

from onloop.asgi.types import Receive, Scope, Send
from onloop.server.open_files import _OPEN_FILES, raise_open_files_limit
from onloop.testing import fetch, serve_process

type Limits = tuple[int, int]


@pytest.fixture
def limit() -> Iterator[Callable[[int], None]]:
    """Sets the soft limit of this process, within its hard limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda files: resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], list[Limits]]:
    """Replaces the limits of this process; returns a list of those that are set."""

    def limits(soft: int, hard: int) -> list[Limits]:
        changes: list[Limits] = []
        monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
        monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: changes.append(limits))
        return changes

    return limits


async def report(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the soft limit."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    body = str(soft).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def test_server_raises_the_limit_that_it_inherits(limit: Callable[[int], None]) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit(256)

    with serve_process("--lifespan", "off", app=f"{__name__}:report") as (_, url):
        raised = int(fetch(url).text)

    assert raised == (_OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard))


@pytest.mark.django_db
def test_runserver_raises_it_too(
    limit: Callable[[int], None], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", "8000")
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: None)
    settings.PORT = 8000
    limit(256)

    call_command("runserver")

    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256


@pytest.mark.parametrize(
    ("soft", "hard", "changes"),
    [
        (1024, 524_288, [(_OPEN_FILES, 524_288)]),
        (1024, resource.RLIM_INFINITY, [(_OPEN_FILES, resource.RLIM_INFINITY)]),
        (1024, 4096, [(4096, 4096)]),
        (4096, 4096, []),
        (100_000, 524_288, []),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, []),
    ],
)
def test_limit_is_raised_within_the_hard_limit_and_never_lowered(
    limits: Callable[[int, int], list[Limits]], soft: int, hard: int, changes: list[Limits]
) -> None:
    changed = limits(soft, hard)

    raise_open_files_limit()

    assert changed == changes


def test_nothing_is_raised_without_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)  # As on Windows.

    raise_open_files_limit()

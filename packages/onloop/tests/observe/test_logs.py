"""The lines that a served project writes, in one format."""

import io
import json
import logging
import re
import sys
from typing import Any

import httpx
import pytest
import structlog
from pytest_django import Settings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from onloop.observe.log_format import formatter
from onloop.testing import TLS, fetch, serve_app, serve_process
from tests.observe.written import written
from tests.project.asgi import application

URLS = "tests.observe.urls"


@pytest.fixture(autouse=True)
def _urls(settings: Settings) -> None:
    settings.ROOT_URLCONF = URLS


def make_requests(url: str) -> None:
    """Request a probe, an unknown URL and a view."""
    assert fetch(f"{url}/healthz").status_code == 200
    assert fetch(f"{url}/none").status_code == 404
    headers = {"X-Request-ID": "abc"}
    view = f"{url}/calls/0/?key=secret"
    assert httpx.get(view, headers=headers, timeout=60, verify=TLS).is_success


def lines_of(renderer: str, level: str) -> list[str]:
    """Serve the project, make requests, and return the lines logged in this format."""
    lines = io.StringIO()
    with written(lines, renderer, level), serve_app(application) as url:
        make_requests(url)
    return lines.getvalue().splitlines()


def test_process_writes_json_lines_of_django_uvicorn_and_the_project() -> None:
    with serve_process(ROOT_URLCONF=URLS, LOG_FORMAT="json") as (server, url):
        make_requests(url)
        server.terminate()
        _, log = server.communicate()
    entries: list[dict[str, Any]] = [json.loads(line) for line in log.splitlines()]

    assert {entry["logger"] for entry in entries} == {
        "uvicorn.error",
        "django.request",
        "onloop.observe.access_log",
    }
    assert all(entry.keys() >= {"event", "level", "timestamp"} for entry in entries)
    unmatched, asked = [
        entry for entry in entries if entry["logger"] == "onloop.observe.access_log"
    ]
    warning = next(entry for entry in entries if entry["logger"] == "django.request")
    assert warning["request_id"] == unmatched["request_id"]
    assert (unmatched["route"], unmatched["status"]) == ("unmatched", 404)
    assert asked.pop("seconds") >= 0
    assert asked.pop("timestamp").endswith("Z")
    assert asked == {
        "event": "request",
        "level": "info",
        "logger": "onloop.observe.access_log",
        "method": "GET",
        "request_id": "abc",
        "route": "calls/<int:count>/",
        "status": 200,
    }


def test_console_lines_are_for_people() -> None:
    lines = lines_of("console", "INFO")

    assert all(re.match(r"\S+Z \[(info     |warning  )\] ", line) for line in lines)
    assert any("route=calls/<int:count>/" in line and "request_id=abc" in line for line in lines)
    assert not any("\033" in line for line in lines)


def test_level_holds_for_all() -> None:
    (line,) = lines_of("json", "WARNING")

    assert json.loads(line)["event"] == "Not Found: /none"


def test_debug_tells_of_orchestrators_too() -> None:
    entries = [json.loads(line) for line in lines_of("json", "DEBUG")]

    assert "healthz" in {entry.get("route") for entry in entries}


async def test_query_of_a_websocket_is_not_logged() -> None:
    lines = io.StringIO()
    with (
        written(lines, "json", "INFO"),
        serve_app(application) as url,
        pytest.raises(InvalidStatus),
    ):
        await connect(f"{url.replace('http', 'ws')}/none?token=secret")

    assert "connection rejected" in lines.getvalue()
    assert "secret" not in lines.getvalue()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the logger `shop` writes."""
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(formatter("json"))
    logger = logging.getLogger("shop")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "level", logging.INFO)
    return lines


def test_loggers_of_structlog_and_of_python_write_alike(lines: io.StringIO) -> None:
    for logger in (structlog.get_logger("shop"), logging.getLogger("shop")):
        with structlog.contextvars.bound_contextvars(request_id="abc"):
            logger.warning("sold out", stack_info=True)
        entry = json.loads(lines.getvalue().splitlines()[-1])

        assert entry.pop("timestamp").endswith("Z")
        assert "test_logs.py" in entry.pop("stack")
        assert entry == {
            "event": "sold out",
            "level": "warning",
            "logger": "shop",
            "request_id": "abc",
        }


def test_fields_stand_beside_the_event(lines: io.StringIO) -> None:
    structlog.get_logger("shop").info("sold", item=7)
    structlog.get_logger("shop").debug("packed", item=7)

    (line,) = lines.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["item"], entry["level"]) == ("sold", 7, "info")


@pytest.mark.parametrize("renderer", ["json", "console"])
def test_exception_is_shown_with_its_traceback(renderer: str) -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        record = logging.LogRecord("a", logging.ERROR, "", 0, "no %s", ("way",), sys.exc_info())

    line = formatter(renderer).format(record)

    text = json.loads(line)["exception"] if renderer == "json" else line
    assert "no way" in line
    assert text.endswith("ValueError: broken")
    assert ("\n" in line) == (renderer == "console")

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
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from onloop.observe.log_format import formatter
from onloop.testing import fetch, serve_process


def lines_of(**environment: str) -> list[str]:
    """Serve the project, ask it three times, and return what it has logged."""
    app = "tests.http.calling:application"
    with serve_process(app=app, **environment) as (server, url):
        assert fetch(f"{url}/healthz").status_code == 200
        assert httpx.get(f"{url}/none", timeout=60).status_code == 404
        headers = {"X-Request-ID": "abc"}
        assert httpx.get(f"{url}/calls/0/?key=secret", headers=headers, timeout=60).is_success
        server.terminate()
        _, log = server.communicate()
    return log.splitlines()


def test_json_lines_of_django_uvicorn_and_the_project() -> None:
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines_of(LOG_FORMAT="json")]

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
    lines = lines_of(LOG_FORMAT="console")

    assert all(re.match(r"\S+Z \[(info     |warning  )\] ", line) for line in lines)
    assert any("route=calls/<int:count>/" in line and "request_id=abc" in line for line in lines)
    assert not any("\033" in line for line in lines)


def test_level_holds_for_all() -> None:
    (line,) = lines_of(LOG_LEVEL="warning")

    assert json.loads(line)["event"] == "Not Found: /none"


def test_debug_tells_of_orchestrators_too() -> None:
    entries = [json.loads(line) for line in lines_of(LOG_LEVEL="debug")]

    assert "healthz" in {entry.get("route") for entry in entries}


async def test_query_of_a_websocket_is_not_logged() -> None:
    with serve_process() as (server, url):
        fetch(f"{url}/healthz")
        with pytest.raises(InvalidStatus):
            await connect(f"{url.replace('http', 'ws')}/none?token=secret")
        server.terminate()
        _, log = server.communicate()

    assert "connection rejected" in log
    assert "secret" not in log


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

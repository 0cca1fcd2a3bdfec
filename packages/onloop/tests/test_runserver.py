"""`manage.py runserver` serves the ASGI application."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.core.management import call_command
from pytest_django import Settings

from onloop.server import OPTIONS
from onloop.testing import fetch


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    monkeypatch.setenv("PORT", "8000")
    monkeypatch.setattr(uvicorn, "run", lambda app, **options: calls.append({"app": app} | options))
    settings.PORT = 8000
    return calls


@pytest.mark.django_db
def test_asgi_application_with_reloader(served: list[dict[str, Any]]) -> None:
    call_command("runserver")

    assert served[0]["app"] == "tests.project.asgi:application"
    assert (served[0]["host"], served[0]["port"]) == ("127.0.0.1", 8000)
    assert served[0]["reload"] is True
    assert served[0].items() >= (OPTIONS | {"timeout_graceful_shutdown": 3}).items()


@pytest.mark.django_db
def test_port_on_the_command_line_moves_the_default_upstream(served: list[dict[str, Any]]) -> None:
    call_command("runserver", "0.0.0.0:9001", use_reloader=False)

    assert (served[0]["host"], served[0]["port"]) == ("0.0.0.0", 9001)
    assert "reload" not in served[0]
    assert (os.environ["PORT"], settings.PORT) == ("9001", 9001)


def test_serves_until_interrupted(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "django", "runserver", "--noreload", str(port)],
        env=os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "DEBUG": "true"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    log: list[str] = []
    for line in server.stderr:
        log.append(line)
        if "Uvicorn running" in line:
            break
    alive = fetch(f"http://127.0.0.1:{port}/healthz")
    style = fetch(f"http://127.0.0.1:{port}/static/admin/css/base.css")
    server.send_signal(signal.SIGINT)
    server.communicate()

    assert not any("[warning" in line for line in log)
    assert (alive.status_code, style.status_code) == (200, 200)

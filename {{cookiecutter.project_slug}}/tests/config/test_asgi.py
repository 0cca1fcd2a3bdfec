"""The application as uvicorn serves it."""

import signal

import httpx
import pytest
from django.conf import settings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from config.asgi import application
from onloop.testing import fetch, serve_app, serve_process


def test_http_is_answered_with_security_headers() -> None:
    with serve_app(application) as url:
        response = fetch(f"{url}/healthz")

    assert response.json() == {"status": "ok"}
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["x-frame-options"] == "DENY"


def test_request_with_too_long_a_body_is_refused() -> None:
    body = b"x" * (settings.MAX_BODY_BYTES + 1)
    with serve_app(application) as url:
        response = httpx.post(f"{url}/jobs/aggregate/", content=body)

    assert response.status_code == 413
    assert response.json()["error"]["message"] == "The body is longer than 10485760 bytes."
    assert response.headers["X-Request-ID"]


async def test_websocket_is_refused_before_its_handshake() -> None:
    with serve_app(application) as url, pytest.raises(InvalidStatus) as refusal:
        await connect(url.replace("http", "ws"))

    assert refusal.value.response.status_code == 403


def test_server_starts_serves_files_and_stops_silently() -> None:
    with serve_process(LOG_LEVEL="warning") as (server, url):
        assert fetch(f"{url}/healthz").status_code == 200
        assert "body" in fetch(f"{url}/static/admin/css/base.css").text
        server.terminate()
        _, log = server.communicate()

    assert log == ""
    assert server.returncode == -signal.SIGTERM

"""The application as it is served."""

import signal

import httpx
import pytest
from django.conf import settings
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from onloop.testing import fetch, serve_process


def test_response_has_security_headers(server: str) -> None:
    response = fetch(f"{server}/healthz")

    assert response.json() == {"status": "ok"}
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["X-Request-ID"]


def test_oversized_body_gets_413(server: str) -> None:
    body = b"x" * (settings.MAX_BODY_BYTES + 1)

    response = httpx.post(f"{server}/healthz", content=body)

    assert response.status_code == 413
    assert response.json()["error"]["message"] == "The body is longer than 10485760 bytes."


async def test_websocket_without_a_route_is_refused(server: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(server.replace("http", "ws"), proxy=None)

    assert refusal.value.response.status_code == 403


def test_server_process_serves_files_and_stops_silently() -> None:
    with serve_process(LOG_LEVEL="warning") as (server, url):
        assert fetch(f"{url}/healthz").status_code == 200
        assert "body" in fetch(f"{url}/static/admin/css/base.css").text
        server.terminate()
        _, log = server.communicate()

    assert log == ""
    assert server.returncode == -signal.SIGTERM

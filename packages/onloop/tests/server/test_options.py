"""What every server of the project is started with."""

import socket
from urllib.parse import urlsplit

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.testing import fetch, serve_app, serve_process
from tests import MEASURED
from tests.server.frames import HANDSHAKE
from tests.server.reporting import report


def test_next_request_of_a_connection_has_a_context_of_its_own() -> None:
    app = ProtocolRouter(http=report, lifespan=Lifespan())
    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in (1, 2))
    with (
        serve_app(app) as url,
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as client,
    ):
        client.sendall(requests)
        answers = b""
        while answers.count(b"\r\n\r\n") < 2 or not answers.endswith(b"none"):
            answers += client.recv(65_536)
            assert b"\r\n\r\n/1" not in answers


def test_websocket_of_a_connection_has_a_context_of_its_own() -> None:
    """Where uvicorn has paused, asyncio reads on in the context of the request before."""
    app = ProtocolRouter(http=report, websocket=report, lifespan=Lifespan())
    post = b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000
    with (
        serve_app(app, loop="asyncio") as url,
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0)) as client,
    ):
        client.sendall(post)
        answer = b""
        while not answer.endswith(b"none"):
            answer += client.recv(65_536)
        client.sendall(HANDSHAKE)
        while data := client.recv(65_536):
            answer += data
    assert answer.endswith(b"\x82\x04none")


def test_application_that_cannot_start_stops_the_server() -> None:
    with serve_process(app="tests.server.reporting:report") as (server, _):
        _, log = server.communicate(timeout=50)

    assert server.returncode == 3
    assert "Application startup failed. Exiting." in log


def test_options_on_the_command_line_win() -> None:
    app = "tests.server.reporting:report"
    with serve_process("--lifespan", "off", app=app, **MEASURED) as (_, url):
        assert fetch(url).text == "none"

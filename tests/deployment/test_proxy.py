"""The reverse proxy of compose.yaml: a real Caddy with the project's Caddyfile."""

import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from websockets.sync.client import connect
from websockets.sync.server import ServerConnection, serve

from tests.browser.slow_upstream import slow_upstream
from tests.machine import skip_or_fail
from tests.project.servers import booted
from tests.template import FOLDER, python

CADDYFILE = FOLDER / "deploy" / "Caddyfile"
PATIENCE = 30


@contextmanager
def proxied(web: int, folder: Path, **variables: str) -> Iterator[int]:
    """Run Caddy in front of the server at port `web`; yield its own port.

    In the Caddyfile the name and port of the compose service become those of the server. Without
    Caddy, tests are skipped, unless REQUIRE_SERVICES is set.
    """
    caddy = shutil.which("caddy")
    if caddy is None:
        skip_or_fail("No reverse proxy: caddy is not installed.")
    text = CADDYFILE.read_text()
    for ours, theirs in (("name web\n", "name localhost\n"), ("port 8000\n", f"port {web}\n")):
        assert text.count(ours) == 1
        text = text.replace(ours, theirs)
    config = folder / "Caddyfile"
    config.write_text(text)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    folders = {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    process = subprocess.Popen(
        [caddy, "run", "--config", str(config), "--adapter", "caddyfile"],
        env=os.environ | folders | {"SITE_ADDRESS": f"http://127.0.0.1:{port}"} | variables,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        process.terminate()
        process.communicate()


def wait_for(port: int, process: subprocess.Popen[str]) -> None:
    """Return once a server listens on the port."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(process.communicate()[1])


@contextmanager
def headers_seen() -> Iterator[tuple[int, list[Message]]]:
    """Serve empty responses; yield the port and the headers of the requests."""
    seen: list[Message] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(204)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port, seen
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def opened(
    port: int, path: str = "/", headers: dict[str, str] | None = None
) -> Iterator[http.client.HTTPResponse]:
    """Yield the response, its body not yet read; then disconnect."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
        client.request("GET", path, headers=headers or {})
        with client.getresponse() as response:
            yield response


def read_until(response: http.client.HTTPResponse, text: bytes) -> None:
    """Return when `text` has come; fail when the stream ends or is silent before."""
    while line := response.readline():
        if text in line:
            return
    raise AssertionError(text)


def test_events_pass_immediately(project: Path, tmp_path: Path) -> None:
    with slow_upstream() as upstream:
        upstream.let_go.clear()
        settings = {"AGGREGATOR_UPSTREAM_URL": upstream.url}
        with (
            booted(project, python(project), **settings) as url,
            proxied(int(url.rpartition(":")[2]), tmp_path) as port,
            opened(port, "/async/api_stream/?fan_out=3") as response,
        ):
            read_until(response, b"event: start")
            upstream.let_go.set()
            read_until(response, b"event: done")


def test_stream_ends_on_disconnect(tmp_path: Path) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        proxied(listener.getsockname()[1], tmp_path) as port,
    ):
        listener.settimeout(PATIENCE)
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
            client.request("GET", "/")
            web, _ = listener.accept()
            web.settimeout(PATIENCE)
            web.recv(65536)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
            web.sendall(head + b"data: 1\n\n")
            with client.getresponse() as response:
                read_until(response, b"data: 1")
        with web:
            assert web.recv(1) == b""


def test_forwarded_headers_are_the_proxys_own(tmp_path: Path) -> None:
    with headers_seen() as (web, seen), proxied(web, tmp_path) as port:
        spoofed = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
        with opened(port, headers=spoofed):
            pass

    (headers,) = seen
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"
    assert headers["Host"] == f"127.0.0.1:{port}"


def test_admin_and_metrics_are_not_public(tmp_path: Path) -> None:
    paths = ("/admin/", "/admin", "//admin/login/", "/%61dmin/", "/metrics", "/")
    with headers_seen() as (web, _):
        statuses = {}
        for allowed in ("192.0.2.1", "192.0.2.1 127.0.0.0/8"):
            with proxied(web, tmp_path, ADMIN_ALLOW_IPS=allowed) as port:
                for path in paths:
                    with opened(port, path) as response:
                        statuses[allowed, path] = response.status

    others, admins = (list(statuses.values())[n : n + len(paths)] for n in (0, len(paths)))
    assert others == [404, 404, 404, 404, 404, 204]
    assert admins == [204, 204, 204, 204, 404, 204]


def test_headers_and_bodies_are_limited(tmp_path: Path) -> None:
    with headers_seen() as (web, _), proxied(web, tmp_path) as port:
        with opened(port, headers={"X-Long": "x" * 100_000}) as response:
            long_header = response.status
        statuses = []
        for size in (10 * 1024 * 1024, 10 * 1024 * 1024 + 1):
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as client:
                client.request("POST", "/", body=b"x" * size)
                statuses.append(client.getresponse().status)

    assert long_header == 431
    assert statuses[0] == 204
    assert statuses[1] in {413, 502}  # 502 from older versions of Caddy.


def test_every_request_gets_an_id_and_keeps_its_own(tmp_path: Path) -> None:
    with headers_seen() as (web, seen), proxied(web, tmp_path) as port:
        for headers in ({}, {}, {"X-Request-ID": "mine"}):
            with opened(port, headers=headers):
                pass

    first, second, third = [request["X-Request-ID"] for request in seen]
    assert len({first, second}) == 2
    assert len(first) == 36
    assert third == "mine"


def test_websockets_pass(tmp_path: Path) -> None:
    def echo(connection: ServerConnection) -> None:
        for message in connection:
            connection.send(message)

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with (
            proxied(server.socket.getsockname()[1], tmp_path) as port,
            connect(f"ws://127.0.0.1:{port}/", proxy=None) as client,
        ):
            client.send("hello")
            assert client.recv(timeout=PATIENCE) == "hello"
        server.shutdown()
        thread.join()

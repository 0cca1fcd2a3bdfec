"""Servers on free ports: the rendered project's, and an upstream that lists what was requested."""

import http.client
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.template import ENVIRONMENT, run


@contextmanager
def booted(project: Path, python: Path, **variables: str) -> Iterator[str]:
    """Serve the project as in production, with `variables` in its environment; yield its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        port = listener.getsockname()[1]
        command = [str(python), "-m", "onloop.server", "config.asgi:application"]
        server = subprocess.Popen(
            [*command, "--fd", str(listener.fileno())],
            cwd=project,
            env=ENVIRONMENT | {"PORT": str(port)} | variables,
            pass_fds=[listener.fileno()],
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


@contextmanager
def production(project: Path, python: Path, folder: Path, **variables: str) -> Iterator[str]:
    """Serve a copy of the project with the settings of production; yield its URL."""
    copy = folder / "production"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".*", "*.sqlite3*"))
    variables |= {
        "SECRET_KEY": "p" * 50,
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS_ONLY": "false",
        "DATABASE_URL": f"sqlite:///{folder}/db.sqlite3",
    }
    run(copy, str(python), "manage.py", "collectstatic", "--no-input", **variables)
    with booted(copy, python, **variables) as url:
        yield url


def get(url: str) -> tuple[int, str]:
    """Return the status and the text of the response."""
    response: http.client.HTTPResponse
    with urlopen(Request(url)) as response:  # noqa: S310
        return response.status, response.read().decode()


def get_when_listening(url: str) -> tuple[int, str]:
    """Like `get`, but wait for the server to listen: uvicorn's reloader does not report it."""
    for _ in range(200):
        try:
            return get(url)
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.05)
    raise AssertionError(f"Nothing listens at {url}.")


@contextmanager
def upstream() -> Iterator[tuple[str, list[str]]]:
    """Serve `{"requested": path}` to every request; yield the URL and the requested paths."""
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requested.append(self.path)
            body = json.dumps({"requested": self.path}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", requested
        finally:
            server.shutdown()
            thread.join()

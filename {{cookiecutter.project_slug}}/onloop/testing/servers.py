"""The project served by a real uvicorn, in a thread of the tests or in a separate process."""

import contextlib
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.utils.module_loading import import_string

from onloop.http._httpx import Response, get
from onloop.server import OPTIONS, application

# For clients: the servers of tests speak plain HTTP, so no certificates are read, which would take
# 25 ms for each client.
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.start_ended = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.start_ended.set()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        with contextlib.suppress(SystemExit):  # A failed application must not end the tests.
            super().run(sockets)


@contextlib.contextmanager
def serve_app(app: Any, **options: Any) -> Iterator[str]:
    """Serve an ASGI application with its lifespan by uvicorn in a thread, and yield its URL.

    Raises:
        RuntimeError: the application did not start.
    """
    config = uvicorn.Config(app, log_config=None, **OPTIONS | options)
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        server.start_ended.wait()
        try:
            if not server.started:
                raise RuntimeError("The application did not start; see its log for the reason.")
            scheme = "https" if config.is_ssl else "http"
            yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def serve_process(
    *options: str, app: str | None = None, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve the project by uvicorn in a separate process, and yield the process and its URL.

    `app` names an application other than the project's; `options` are uvicorn's. The process runs
    in the current directory, with `environment` added to the environment of the tests.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=2048) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [sys.executable, "-m", "onloop.server", app or application()]
        server = subprocess.Popen(  # noqa: S603 - the interpreter of the tests
            [*command, "--fd", str(listener.fileno()), *options],
            env=os.environ | environment,
            pass_fds=[listener.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )
    with server:
        try:
            yield server, url
        finally:
            server.terminate()
            server.wait()


def fetch(url: str) -> Response:
    """Return the response to `GET url`, from a server that may still be starting."""
    return get(url, timeout=60, verify=TLS)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Yield the URL of the project, served by one real uvicorn for all tests."""
    # setup_test_environment() has replaced the setting with a list for Django's test client.
    settings.ALLOWED_HOSTS.append("127.0.0.1")
    with serve_app(import_string(application().replace(":", "."))) as url:
        yield url

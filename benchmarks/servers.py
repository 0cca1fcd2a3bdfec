"""One uvicorn worker per contender, all started the same way."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks import proc
from benchmarks.lineup import RENDERED, ROOT, Contender

HOST = "127.0.0.1"
READY_PATH = "/hello/"
START_TIMEOUT = 60.0
STOP_TIMEOUT = 10.0
IDLE_TIMEOUT = 300.0
IDLE_SAMPLE = 0.2
SERVER_OPTIONS = (
    *("--host", HOST, "--workers", "1", "--loop", "uvloop"),
    *("--no-access-log", "--log-level", "warning", "--timeout-graceful-shutdown", "1"),
)


class Server:
    """A contender under one uvicorn worker on a free port. A context manager: leaving it stops it.

    `wait_until_ready` is separate, so that several can start at the same time.
    """

    def __init__(
        self, contender: Contender, project: Path, upstream_url: str, fan_out: int
    ) -> None:
        self.contender = contender
        self.port = free_port()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the server stops
        port = ("--port", str(self.port))
        python = project_python(project) if contender.on_project_python else Path(sys.executable)
        self._process = subprocess.Popen(
            [python, "-m", contender.module, *contender.arguments, *SERVER_OPTIONS, *port],
            cwd=project if contender.in_project_folder else ROOT,
            env=environment(contender, self.port, upstream_url, fan_out),
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    @property
    def name(self) -> str:
        return self.contender.name

    def url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}{path}"

    def connect(self, timeout: float = 120.0) -> HTTPConnection:
        """A client connection, opened by its first request."""
        return HTTPConnection(HOST, self.port, timeout=timeout)

    def wait_until_ready(self) -> None:
        """Send requests until the contender answers 200.

        Raises `RuntimeError` with the end of the server's output when it ends or stays silent.
        """
        deadline = time.monotonic() + START_TIMEOUT
        answer = "nothing"
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                connection = self.connect(timeout=5.0)
                connection.request("GET", READY_PATH)
                answer = f"HTTP {connection.getresponse().status}"
                connection.close()
            except (OSError, HTTPException):
                time.sleep(0.05)
                continue
            if answer == "HTTP 200":
                return
            break
        self._log.seek(0)
        output = self._log.read().decode(errors="replace")[-3000:].strip()
        raise RuntimeError(
            f"{self.name} did not start: {READY_PATH} answered {answer}, uvicorn's exit code is "
            f"{self._process.poll()}, its last output was:\n{output}"
        )

    def wait_until_idle(self) -> None:
        """Let the server finish the requests of clients that have disconnected.

        Raises `RuntimeError` when it stays busy.
        """
        deadline = time.monotonic() + IDLE_TIMEOUT
        while time.monotonic() < deadline:
            before = self.cpu_seconds()
            time.sleep(IDLE_SAMPLE)
            if self.cpu_seconds() - before < IDLE_SAMPLE / 10:
                return
        raise RuntimeError(f"{self.name} is still busy {IDLE_TIMEOUT:.0f} s after its last client.")

    def threads(self) -> int:
        return proc.threads(self._process.pid)

    def resident_kib(self) -> int:
        return proc.resident_kib(self._process.pid)

    def cpu_seconds(self) -> float:
        return proc.cpu_seconds(self._process.pid)


@contextmanager
def serving(
    contenders: Sequence[Contender], project: Path, upstream_url: str, fan_out: int = 10
) -> Iterator[list[Server]]:
    """All `contenders`, started together and ready to answer."""
    with ExitStack() as stack:
        servers = [
            stack.enter_context(Server(contender, project, upstream_url, fan_out))
            for contender in contenders
        ]
        for server in servers:
            server.wait_until_ready()
        yield servers


def environment(contender: Contender, port: int, upstream_url: str, fan_out: int) -> dict[str, str]:
    """The environment of one server: the same for all, apart from the contender's own variables.

    Nothing is inherited but the search path.
    Proxies, certificates and Django settings of the caller's shell stay out of the measurement.
    """
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "PORT": str(port),
        "SECRET_KEY": secrets.token_urlsafe(60),
        "DEBUG": "false",
        "ALLOWED_HOSTS": HOST,
        "HTTPS_ONLY": "false",
        "ENV_FILE": os.devnull,
        "DATABASE_URL": f"sqlite:///{tempfile.gettempdir()}/benchmarks-{port}.sqlite3",
        "AGGREGATOR_UPSTREAM_URL": upstream_url,
        "AGGREGATOR_FAN_OUT": str(fan_out),
        "SYNC_API_DELAY": "0",
        "LOG_LEVEL": "warning",  # No contender writes an access log, except where that is measured.
    }
    variables.update(contender.variables)
    if contender.django_settings:
        variables["DJANGO_SETTINGS_MODULE"] = contender.django_settings
    return variables


def collect_static_files(project: Path) -> None:
    """Collect the static files, which the rendered project requires in production."""
    subprocess.run(
        [project_python(project), "manage.py", "collectstatic", "--no-input"],
        cwd=project,
        env=environment(RENDERED, free_port(), upstream_url="", fan_out=1),
        check=True,
        stdout=subprocess.DEVNULL,
    )


def project_python(project: Path) -> Path:
    """The interpreter the rendered project is installed for."""
    return project / ".venv" / "bin" / "python"


def free_port() -> int:
    """A TCP port nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port

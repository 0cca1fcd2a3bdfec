"""The image of the rendered project, and its processes."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.container import Container, Stage, container

SETTINGS = {"SECRET_KEY": "p" * 50, "ALLOWED_HOSTS": "127.0.0.1", "HTTPS_ONLY": "false"}
GET = """
import sys, urllib.request
print(urllib.request.urlopen("http://127.0.0.1:8000" + sys.argv[1]).read().decode())
"""
STATUS = """
import http.client, sys
client = http.client.HTTPConnection("127.0.0.1", 8000)
client.request("GET", "/", headers={"X-Forwarded-Proto": sys.argv[1]})
print(client.getresponse().status)
"""
INSTALLED = """
import sys, importlib.util
print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name)))
"""
WORKER = ["python", "manage.py", "jobs_worker", "--heartbeat", "/tmp/heartbeat"]  # noqa: S108
MIGRATE = ["python", "manage.py", "migrate"]


@pytest.fixture
def web(image: Stage, tmp_path: Path) -> Iterator[Container]:
    """A container of the image on a migrated SQLite, when its health check has passed."""
    assert run(image, tmp_path, *MIGRATE)[0] == 0
    with container(image, tmp_path, **SETTINGS) as web:
        wait_until_healthy(web)
        yield web


def wait_until_healthy(web: Container) -> None:
    """Run the image's health check until it passes."""
    wait_until(web, *web.image.healthcheck)


def wait_until(process: Container, *command: str) -> None:
    """Run a command in the container until it succeeds."""
    for _ in range(300):
        if process.execute(*command).returncode == 0:
            return
        time.sleep(0.1)
    process.send("KILL")
    process.wait()
    pytest.fail(f"{command} never succeeded: {process.output}")


def run(image: Stage, volume: Path, *command: str) -> tuple[int, str]:
    """Run a command in its own container. Return its exit status and its output."""
    with container(image, volume, *command, **SETTINGS) as process:
        return process.wait(), process.output


def test_web_responds_and_stops_on_sigterm(image: Stage, web: Container) -> None:
    pages = {
        path: web.execute("python", "-c", GET, path).stdout
        for path in ("/", "/readyz", "/async/api_aggregated/")
    }
    stylesheet = pages["/"].partition('rel="stylesheet" href="')[2].partition('"')[0]
    css = web.execute("python", "-c", GET, stylesheet)
    web.send("TERM")

    assert '"database": "ok"' in pages["/readyz"]
    assert '"task_id": "9"' in pages["/async/api_aggregated/"]
    assert stylesheet.startswith("/static/site.")
    assert "--accent" in css.stdout
    assert web.wait() == 0
    assert "Started server process [1]" in web.output
    assert "Application shutdown complete" in web.output


def test_worker_stops_on_sigterm(image: Stage, tmp_path: Path) -> None:
    assert run(image, tmp_path, *MIGRATE)[0] == 0
    with container(image, tmp_path, *WORKER, **SETTINGS) as worker:
        wait_until(worker, "sh", "-c", f'test -n "$(find {WORKER[-1]} -mmin -1)"')
        worker.send("TERM")
        assert worker.wait() == 0


def test_container_runs_without_privileges(web: Container) -> None:
    lines = web.execute("cat", "/proc/1/status").stdout.splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)

    assert status["Uid"].split() == ["10001"] * 4
    assert status["CapEff"].strip("0") == ""
    assert web.execute("touch", "/app/file").stderr.endswith("Read-only file system\n")
    assert web.execute("touch", "/tmp/file", "/data/file").returncode == 0  # noqa: S108


def test_https_of_a_trusted_proxy_is_accepted(image: Stage, tmp_path: Path) -> None:
    behind_proxy = {"HTTPS_ONLY": "true", "FORWARDED_ALLOW_IPS": "10.0.0.0/8,127.0.0.0/8"}
    with container(image, tmp_path, **SETTINGS | behind_proxy) as web:
        wait_until_healthy(web)
        statuses = [
            web.execute("python", "-c", STATUS, proto).stdout for proto in ("http", "https")
        ]

    assert statuses == ["301\n", "200\n"]


def test_health_check_fails_without_a_server(image: Stage, tmp_path: Path) -> None:
    status, output = run(image, tmp_path, *image.healthcheck)

    assert status == 1
    assert "ConnectionRefusedError" in output


def test_waiting_for_migrations_ends_when_they_are_done(image: Stage, tmp_path: Path) -> None:
    waiting = [*MIGRATE, "--check"]

    assert run(image, tmp_path, *waiting)[0] == 1
    assert run(image, tmp_path, *MIGRATE, "--no-input")[0] == 0
    assert run(image, tmp_path, *waiting)[0] == 0


def test_missing_secret_is_refused_in_one_sentence(image: Stage, tmp_path: Path) -> None:
    with container(image, tmp_path) as process:
        assert process.wait() == 1

    assert process.output.startswith("Error: SECRET_KEY is '', but it must be ")
    assert process.output.count("\n") == 1


def test_image_holds_what_it_needs_and_nothing_else(image: Stage, tmp_path: Path) -> None:
    names = {path.name for path in image.path(".").iterdir()}
    wanted = ["psycopg", "psycopg_pool", "redis", "channels_redis"]
    unwanted = ["pip", "poetry", "pytest", "mypy"]
    _, installed = run(image, tmp_path, "python", "-c", INSTALLED, *wanted, *unwanted)

    assert names >= {
        ".venv",
        "manage.py",
        "config",
        "onloop",
        "upstream",
        "aggregator",
        "live",
        "jobs",
        "staticfiles",
    }
    assert names.isdisjoint(
        {".env", ".git", ".github", "db.sqlite3", "tests", "deploy", "docs", "README.md"}
    )
    assert not list(image.path("aggregator").glob(".env*"))
    assert installed.split() == wanted

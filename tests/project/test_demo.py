"""`make demo`, as the README describes it."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import EXTRAS
from tests.project.servers import get, get_when_listening
from tests.template import ENVIRONMENT, TEMPLATE


def demo(**variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["make", "demo", *(f"{name}={value}" for name, value in variables.items())],
        cwd=TEMPLATE,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


@pytest.fixture
def _virtualenv(project: Path) -> Iterator[None]:
    """Put the virtualenv of `project` into the demo, where `make` finds nothing left to install."""
    demo = TEMPLATE / "build" / "demo" / "demo_under_test_service"
    shutil.rmtree(demo, ignore_errors=True)
    demo.mkdir(parents=True)
    (demo / ".venv").symlink_to(project / ".venv")
    yield
    (demo / ".venv").unlink()


@pytest.mark.usefixtures("_virtualenv")
def test_demo_serves_until_interrupted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    server = demo(PORT=port, FAN_OUT="4", PROJECT_NAME="Demo Under Test", EXTRAS=EXTRAS)
    assert server.stdout is not None
    output: list[str] = []
    for line in server.stdout:
        output.append(line)
        if "Application startup complete" in line:
            break
    try:
        _, home = get_when_listening(f"http://127.0.0.1:{port}/")
        _, aggregated = get(f"http://127.0.0.1:{port}/async/api_aggregated/")
    finally:
        os.killpg(server.pid, signal.SIGINT)
        rest, _ = server.communicate()

    assert f"  http://127.0.0.1:{port}/async/api_aggregated/\n" in output
    assert "<h1>Demo Under Test</h1>" in home
    assert (
        "Rendered into build/demo/demo_under_test_service; make installs and serves it:\n" in output
    )
    tasks = [response["task_id"] for response in json.loads(aggregated)["responses"]]
    assert tasks == ["0", "1", "2", "3"]
    assert "Application shutdown complete" in rest
    assert "Traceback" not in rest


def test_busy_port_is_refused_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        server = demo(PORT=str(port))
        output, _ = server.communicate()

    assert server.returncode != 0
    assert output.startswith(f"Port {port} of 127.0.0.1 cannot be used")


def test_bad_answer_is_refused_in_one_sentence(tmp_path: Path) -> None:
    refusal = render_demo(tmp_path, FAN_OUT="many")

    assert refusal == "fan_out is 'many', but it must be a whole number from 1 to 1000.\n"
    assert list(tmp_path.iterdir()) == []


def test_missing_python_is_refused_in_one_sentence() -> None:
    script = "from scripts import demo; demo.OLDEST_PYTHON = (9, 9); demo.refuse_missing_python()"
    refusal = subprocess.run(
        [TEMPLATE / ".tools" / "bin" / "python", "-c", script],
        cwd=TEMPLATE,
        capture_output=True,
        text=True,
        check=False,
    )

    assert refusal.returncode == 1
    assert refusal.stderr == (
        "No Python >= 9.9 was found, and the project needs one: install it first.\n"
    )


def render_demo(demo: Path, **answers: str) -> str:
    """Render into the folder `demo` as `make demo` does, and return the error message, if any."""
    script = (
        "import sys, tempfile\n"
        "from pathlib import Path\n"
        "from scripts import demo\n"
        "with tempfile.TemporaryDirectory() as folder:\n"
        "    demo.take_over(demo.render(Path(folder)), Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [TEMPLATE / ".tools" / "bin" / "python", "-c", script, demo],
        cwd=TEMPLATE,
        env=ENVIRONMENT | answers,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr


def test_demo_takes_other_answers_and_keeps_the_secret(tmp_path: Path) -> None:
    assert render_demo(tmp_path, FAN_OUT="3") == ""
    project = tmp_path / "async_service"
    with (project / ".env").open("a") as file:
        file.write("PORT=9000\n")
    secret = (project / ".env").read_text()

    assert render_demo(tmp_path, FAN_OUT="4") == ""

    assert '"AGGREGATOR_FAN_OUT", 4' in (project / "config" / "settings.py").read_text()
    assert (project / ".env").read_text() == secret


def test_demo_refuses_to_overwrite_changes(tmp_path: Path) -> None:
    render_demo(tmp_path)
    readme = tmp_path / "async_service" / "README.md"
    readme.write_text("Mine.")

    refusal = render_demo(tmp_path)

    assert refusal.startswith("Rendering would overwrite your changes in ")
    assert "/async_service: README.md. Serve it unchanged with make -C " in refusal
    assert len(refusal.splitlines()) == 1
    assert readme.read_text() == "Mine."

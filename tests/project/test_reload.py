"""`manage.py runserver` under its reloader, as `make run` starts it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.project.servers import get_when_listening
from tests.template import ENVIRONMENT, copy_project, python


def lines_until(output: Iterable[str], end: str) -> list[str]:
    """Return the lines up to the one that holds `end`."""
    lines: list[str] = []
    for line in output:
        lines.append(line)
        if end in line:
            return lines
    raise AssertionError("".join(lines))


def test_broken_urlconf_is_shown_immediately_and_its_fix_is_served(
    project: Path, tmp_path: Path
) -> None:
    copy = copy_project(project, tmp_path / "copy")
    urls = copy / "config" / "urls.py"
    working = urls.read_text()
    urls.write_text(f"{working}\nurlpatterns += [path('', include('no_such_app.urls'))]\n")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = str(probe.getsockname()[1])
    server = subprocess.Popen(
        [str(python(project)), "manage.py", "runserver", port],
        cwd=copy,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert server.stderr is not None
    try:
        broken = lines_until(server.stderr, "Application startup failed")
        urls.write_text(working)
        fixed = lines_until(server.stderr, "Application startup complete")
        status, _ = get_when_listening(f"http://127.0.0.1:{port}/healthz")
    finally:
        os.killpg(server.pid, signal.SIGINT)
        server.communicate()

    assert "No module named 'no_such_app'" in "".join(broken)
    assert "startup complete" not in "".join(broken)
    assert "Reloading" in "".join(fixed)
    assert status == 200

"""`onloop` works in a project made by `django-admin startproject`."""

import shutil
import sys
from pathlib import Path

from tests.template import TEMPLATE, python, run

BARE = TEMPLATE / "tests" / "package" / "bare"


def test_bare_project_gets_what_onloop_promises(project: Path, wheel: Path, tmp_path: Path) -> None:
    interpreter, installed = str(python(project)), str(tmp_path / "installed")
    # Next to the project's own environment, which other tests use.
    install = [sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet"]
    run(tmp_path, *install, "--no-deps", "--target", installed, str(wheel))
    run(tmp_path, interpreter, "-m", "django", "startproject", "mysite")
    bare = tmp_path / "mysite"
    for name in ("asgi.py", "jobs.py", "urls.py"):
        shutil.copy(BARE / name, bare / "mysite" / name)
    for name in ("conftest.py", "pytest.ini", "test_bare.py"):
        shutil.copy(BARE / name, bare / name)
    with (bare / "mysite" / "settings.py").open("a") as settings:
        settings.write((BARE / "settings.py").read_text())

    output = run(bare, interpreter, "-m", "pytest", "--quiet", PYTHONPATH=installed)

    assert "4 passed" in output

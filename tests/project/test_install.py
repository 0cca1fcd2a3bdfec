"""The same folder installs without Poetry, as the README of the rendered project says."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from tests.template import run

INDEX = os.environ.get("POETRY_PYPI_MIRROR_URL", "")


@pytest.fixture
def bare(cookies: Cookies) -> Path:
    """A rendered project that nothing is installed for."""
    project: Path = cookies.bake().project_path
    return project


def test_installs_with_uv(bare: Path) -> None:
    uv = shutil.which("uv", path=Path(sys.executable).parent)
    assert uv
    environment = {"UV_PYTHON": sys.executable} | ({"UV_DEFAULT_INDEX": INDEX} if INDEX else {})
    run(bare, uv, "sync", **environment)

    assert "no issues" in run(bare, uv, "run", "manage.py", "check", **environment)


def test_installs_with_pip(bare: Path) -> None:
    run(bare, sys.executable, "-m", "venv", ".venv")
    python = str(bare / ".venv" / "bin" / "python")
    run(bare, python, "-m", "pip", "install", "--upgrade", "pip")
    run(bare, python, "-m", "pip", "install", ".", "--group", "dev")

    assert "no issues" in run(bare, python, "manage.py", "check")

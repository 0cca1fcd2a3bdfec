"""The project installs with only Python, with uv, and with pip, as its README describes."""

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
    """A rendered project without an environment, in a git repository."""
    project: Path = cookies.bake().project_path
    run(project, "git", "init", "--quiet")
    run(project, "git", "add", "--all")
    return project


def untracked(project: Path) -> str:
    """Return what git neither tracks nor ignores."""
    return run(project, "git", "ls-files", "--others", "--exclude-standard")


def test_make_installs_its_own_poetry(project: Path, bare: Path) -> None:
    assert (project / ".tools" / "bin" / "poetry").exists()
    assert "no issues" in run(project, ".venv/bin/python", "manage.py", "check")
    # Git sees the same files in it as in a project that was not installed.
    git = ("git", f"--git-dir={bare}/.git")
    assert run(project, *git, "ls-files", "--others", "--exclude-standard") == ""


def test_make_installs_with_uv(bare: Path) -> None:
    uv = shutil.which("uv", path=Path(sys.executable).parent)
    assert uv
    environment = {
        "PATH": f"{Path(uv).parent}{os.pathsep}{os.environ['PATH']}",
        "UV_PYTHON": sys.executable,
    } | ({"UV_DEFAULT_INDEX": INDEX} if INDEX else {})

    run(bare, "make", "install", "UV=1", **environment)

    assert "no issues" in run(bare, ".venv/bin/python", "manage.py", "check")
    assert not (bare / ".tools").exists()
    assert untracked(bare) == ""


def test_pip_installs_the_project(bare: Path) -> None:
    run(bare, sys.executable, "-m", "venv", "--without-pip", ".venv")
    # The pip that comes with Python may be older than the option --group.
    pip = (sys.executable, "-m", "pip", "--python", ".venv")
    run(bare, *pip, "install", ".[postgres,redis]", "--group", "dev")

    assert "no issues" in run(bare, ".venv/bin/python", "manage.py", "check")
    assert untracked(bare) == ""

"""Well-known packages work on the rendered project's handler, wherever their middleware stands."""

import shutil
import sys
from pathlib import Path

from tests.template import TEMPLATE, copy_project, python, run

PACKAGES = TEMPLATE / "tests" / "project" / "third_party"


def test_third_party_middleware_works(project: Path, tmp_path: Path) -> None:
    copy = copy_project(project, tmp_path / "copy")
    shutil.copytree(PACKAGES, copy / "tests" / "third_party")
    installed = tmp_path / "installed"
    requirements = copy / "tests" / "third_party" / "requirements.txt"
    # Next to the project's own environment, which other tests use.
    install = [sys.executable, "-m", "pip", "--python", str(python(project)), "install", "--quiet"]
    run(copy, *install, "--target", str(installed), "--no-deps", "--requirement", str(requirements))

    output = run(
        copy,
        *[str(python(project)), "-m", "pytest", "--no-cov", "--quiet", "tests/third_party"],
        PYTHONPATH=str(installed),
        DJANGO_SETTINGS_MODULE="tests.third_party.settings",
    )

    assert "21 passed" in output

"""The rendered project under fault and load: upstreams, databases and servers that fail or stop."""

import shutil
from pathlib import Path

from tests.template import TEMPLATE, copy_project, python, run

TESTS = TEMPLATE / "tests" / "project" / "acceptance"
SERVICES = TEMPLATE / "packages" / "onloop" / "tests" / "services"


def test_project_survives(project: Path, tmp_path: Path) -> None:
    copy = copy_project(project, tmp_path / "copy")
    acceptance = copy / "tests" / "acceptance"
    shutil.copytree(TESTS, acceptance)
    shutil.copytree(SERVICES, acceptance / "services", ignore=shutil.ignore_patterns("test_*"))

    run(copy, str(python(project)), "-m", "pytest", "--quiet", "tests/acceptance")

"""The rendered project under fault and load: upstreams, databases and servers that fail or stop."""

import shutil
from pathlib import Path

from tests.template import TEMPLATE, python, run

TESTS = TEMPLATE / "tests" / "project" / "acceptance"
SERVICES = TEMPLATE / "packages" / "onloop" / "tests" / "services"


def test_project_survives(project: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(".venv", ".*_cache", "*.sqlite3*"))
    acceptance = copy / "tests" / "acceptance"
    shutil.copytree(TESTS, acceptance)
    shutil.copytree(SERVICES, acceptance / "services", ignore=shutil.ignore_patterns("test_*"))

    run(copy, str(python(project)), "-m", "pytest", "--quiet", "tests/acceptance")

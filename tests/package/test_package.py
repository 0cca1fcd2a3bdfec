"""`onloop` passes its own checks and tests, in the environment of a rendered project."""

import re
import shutil
from pathlib import Path

from tests.template import TEMPLATE, python, run

PACKAGE = TEMPLATE / "packages" / "onloop"


def test_type_check_passes(project: Path) -> None:
    run(PACKAGE, str(python(project)), "-m", "mypy")


def test_own_tests_pass_and_cover_every_line(project: Path, tmp_path: Path) -> None:
    # The copy holds `onloop` where PACKAGE has a link to it. Bytecode is next to the sources then,
    # so that other tests have compiled Django, or need not do it again.
    package = tmp_path / "onloop"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))

    command = [str(python(project)), "-m", "pytest", "--quiet", "-p", "no:cacheprovider"]
    output = run(package, *command, "--cov", "--cov-fail-under=100")

    assert re.search(r"\d+ passed in ", output)
    assert not re.search(r"\d+ skipped", output)

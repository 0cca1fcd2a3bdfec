"""`onloop` passes its own checks and tests, in the environment of a rendered project."""

import re
import sys
from pathlib import Path

from tests.template import TEMPLATE, python, run

PACKAGE = TEMPLATE / "packages" / "onloop"


def test_type_check_passes(project: Path) -> None:
    run(PACKAGE, str(python(project)), "-m", "mypy")


def test_own_tests_pass_and_cover_every_line(project: Path, tmp_path: Path) -> None:
    interpreter = str(python(project))
    # Next to the project's own environment, which other tests use.
    install = [sys.executable, "-m", "pip", "--python", interpreter, "install", "--quiet"]
    run(tmp_path, *install, "--no-deps", "--target", str(tmp_path), "pytest-xdist", "execnet")
    options = ["--numprocesses=2", "--dist=worksteal", "-p", "no:cacheprovider"]
    coverage = ["--cov", "--cov-fail-under=100"]

    output = run(
        PACKAGE,
        *[interpreter, "-m", "pytest", "--quiet", *options, *coverage],
        PYTHONPATH=str(tmp_path),
        COVERAGE_FILE=str(tmp_path / "coverage"),
    )

    assert re.search(r"\d+ passed in ", output)
    assert not re.search(r"\d+ skipped", output)

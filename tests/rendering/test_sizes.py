"""The code that an owner maintains stays small; `onloop` does not count."""

from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

BOUNDS = {"lines of Python": 1_700, "lines of tests": 3_000, "files": 130}


def test_project_stays_small(cookies: Cookies, capsys: pytest.CaptureFixture[str]) -> None:
    project = cookies.bake().project_path
    files = [
        path.relative_to(project)
        for path in project.rglob("*")
        if path.is_file() and path.relative_to(project).parts[0] != "onloop"
    ]
    tests = [path for path in files if path.parts[0] == "tests"]
    others = [path for path in files if path.parts[0] != "tests"]
    sizes = {
        "lines of Python": lines(project, others),
        "lines of tests": lines(project, tests),
        "files": len(files),
    }

    with capsys.disabled():
        print(f"\nOutside onloop/: {sizes}, at most {BOUNDS}")
    assert all(sizes[name] <= bound for name, bound in BOUNDS.items()), sizes


def lines(project: Path, files: list[Path]) -> int:
    """Return the number of lines in the Python files among these."""
    return sum(
        len((project / path).read_text(encoding="utf-8").splitlines())
        for path in files
        if path.suffix == ".py"
    )

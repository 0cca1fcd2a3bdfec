"""Each feature can be dropped as the README of the rendered project says."""

import shutil
from pathlib import Path

import pytest

from tests.template import python, run

# Each with those that have to be dropped before it.
FEATURES = {"aggregator": ["jobs", "live"], "jobs": [], "live": ["jobs"]}
# With all dropped, everything runs. Else `onloop`, which knows no feature, is not tested again.
OPTIONS = {
    "aggregator": ["--cov", "--cov-fail-under=100"],
    "jobs": ["--ignore=tests/onloop"],
    "live": ["--ignore=tests/onloop"],
}


@pytest.mark.parametrize("feature", FEATURES)
def test_feature_can_be_dropped(project: Path, tmp_path: Path, feature: str) -> None:
    rest = tmp_path / "rest"
    # Left out is also what other tests write into the project meanwhile.
    shutil.copytree(
        project,
        rest,
        ignore=shutil.ignore_patterns(".venv", ".*_cache", ".coverage*", "*.sqlite3*"),
    )
    for app in [*FEATURES[feature], feature]:
        drop(rest, app)

    assert feature not in [path.name for path in rest.iterdir()]
    run(rest, str(python(project)), "-m", "pytest", *OPTIONS[feature])
    run(rest, str(python(project)), "-m", "ruff", "check")
    run(rest, str(python(project)), "-m", "mypy", ".")


def drop(project: Path, app: str) -> None:
    """Follow the README: two folders, a line of the settings, a line of the URLs."""
    shutil.rmtree(project / app)
    shutil.rmtree(project / "tests" / app)
    remove_line(project / "config" / "settings.py", f'    "{app}",\n')
    remove_line(project / "config" / "urls.py", f'    path("", include("{app}.urls")),\n')


def remove_line(path: Path, line: str) -> None:
    """Remove a line that stands in the file exactly once."""
    text = path.read_text()
    assert text.count(line) == 1
    path.write_text(text.replace(line, ""))

"""Each app can be dropped, with the command and by hand, as the project's README describes."""

import re
import shutil
from pathlib import Path

import pytest

from tests.project.test_update import commit_all
from tests.project.type_checks import type_check
from tests.template import copy_project, python, run

APPS = [["aggregator"], ["jobs"], ["live"], ["aggregator", "jobs", "live", "upstream"]]


@pytest.fixture
def copy(project: Path, tmp_path: Path) -> Path:
    """A copy of the project, in a git repository, that uses the project's virtualenv."""
    copy = copy_project(project, tmp_path / "copy")
    (copy / ".venv").symlink_to(project / ".venv")
    (copy / ".git" / "info").mkdir(parents=True)
    (copy / ".git" / "info" / "exclude").write_text(".venv\n")  # A link, not a folder.
    commit_all(copy)
    return copy


def sources(project: Path) -> dict[str, str]:
    """Return the text of each module and of the page of the settings."""
    paths = [*project.glob("[!.]*/**/*.py"), project / "docs" / "settings.md"]
    return {path.relative_to(project).as_posix(): path.read_text() for path in paths}


def settings_of(project: Path, app: str) -> list[str]:
    """Return the names of the environment variables in the app's section of the settings."""
    sections = re.split(r"\n(?=# \d+\. )", (project / "config" / "settings.py").read_text())
    own = [text for text in sections if text.partition("\n")[0].endswith(f" {app.title()}")]
    return re.findall(r'env\.\w+\(\s*"(\w+)"', "".join(own))


@pytest.mark.parametrize("apps", APPS, ids=" ".join)
def test_rest_passes_its_checks_after_drop(project: Path, copy: Path, apps: list[str]) -> None:
    dropped = [name for app in apps for name in settings_of(copy, app)]
    run(copy, "make", "drop", f"APP={' '.join(apps)}")

    left = run(
        copy, "git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate"
    )
    for name in left.splitlines():
        path = copy / name
        if path.exists() and not name.startswith("onloop/") and path.suffix not in {".lock", ".md"}:
            assert not [one for one in dropped if re.search(rf"\b{one}\b", path.read_text())], name
    assert not [app for app in apps if (copy / app).exists() or (copy / "tests" / app).exists()]
    run(copy, str(python(copy)), "-m", "ruff", "check")
    run(copy, str(python(copy)), "-m", "ruff", "format", "--check")
    type_check(copy, project)
    run(copy, ".venv/bin/lint-imports")
    run(copy, str(python(copy)), "-m", "pytest")


@pytest.mark.parametrize("apps", APPS, ids=" ".join)
def test_drop_by_hand_equals_the_command(copy: Path, apps: list[str]) -> None:
    for app in apps:
        drop_by_hand(copy, app)
    run(copy, str(python(copy)), "manage.py", "document_settings")
    by_hand = sources(copy)
    run(copy, "git", "checkout", "--quiet", ".")
    run(copy, "make", "drop", f"APP={' '.join(apps)}")

    assert sources(copy) == by_hand


def drop_by_hand(project: Path, app: str) -> None:
    """Follow the README: two folders, the settings, a line of the URLs."""
    shutil.rmtree(project / app)
    shutil.rmtree(project / "tests" / app)
    names = settings_of(project, app)
    settings = project / "config" / "settings.py"
    remove_line(settings, f'    "{app}",\n')
    text, *sections = re.split(r"\n\n\n(?=# \d+\. )", settings.read_text().rstrip())
    kept = [part for part in sections if not part.partition("\n")[0].endswith(f" {app.title()}")]
    settings.write_text("\n\n\n".join([text, *kept, ""]).rstrip() + "\n")
    remove_line(project / "config" / "urls.py", f'    path("", include("{app}.urls")),\n')
    for tests in (project / "tests").glob("*.py"):
        lines = tests.read_text().splitlines(keepends=True)
        sets = [one for name in names for one in (f'("{name}"', f"settings.{name} ")]
        tests.write_text("".join(line for line in lines if not any(part in line for part in sets)))


def remove_line(path: Path, line: str) -> None:
    """Remove a line that occurs in the file exactly once."""
    text = path.read_text()
    assert text.count(line) == 1
    path.write_text(text.replace(line, ""))


@pytest.mark.parametrize(
    ("apps", "sentence"),
    [
        ("upstream", "upstream is used by aggregator, jobs, live: drop or change that first."),
        ("onloop", "onloop is not an app that can be dropped: choose from "),
        ("live", "live has changes that are not committed: commit them first."),
        ("jobs", "jobs is used by config/urls.py: drop or change that first."),
    ],
)
def test_drop_is_refused_in_one_sentence(copy: Path, apps: str, sentence: str) -> None:
    (copy / "live" / "mine.py").write_text("")
    urls = copy / "config" / "urls.py"
    urls.write_text(f"from jobs.views import aggregate\n{urls.read_text()}")
    before = run(copy, "git", "status", "--porcelain")

    output = run(copy, "sh", "-c", f'make drop APP="{apps}" || true')

    assert f"CommandError: {sentence}" in output
    assert "Traceback" not in output
    assert run(copy, "git", "status", "--porcelain") == before

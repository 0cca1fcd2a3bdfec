"""A project that `cruft create` rendered takes over what the template changes later."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.template import FOLDER, TEMPLATE, run

CRUFT = str(Path(sys.executable).parent / "cruft")
AUTHOR = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in {"NAME": "Ada Lovelace", "EMAIL": "ada@example.com"}.items()
}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A git repository that holds a copy of the template."""
    copy = tmp_path / "template"
    files = run(TEMPLATE, "git", "ls-files", "--cached", "--others", "--exclude-standard")
    for name in files.splitlines():
        if (TEMPLATE / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, copy / name)
    commit_all(copy)
    return copy


@pytest.fixture
def created(template: Path, tmp_path: Path) -> Path:
    """A project that cruft rendered from the copy, committed to a repository of its own."""
    run(tmp_path, CRUFT, "create", str(template), "--no-input", "--output-dir", str(tmp_path))
    project = tmp_path / "async_service"
    commit_all(project)
    return project


def commit_all(folder: Path) -> None:
    """Commit all that is in the folder, to a repository that is made if there is none."""
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, "git", "commit", "--quiet", "--message", "Change", **AUTHOR)


def append(path: Path, line: str) -> None:
    with path.open("a") as file:
        file.write(f"{line}\n")


def prepend(path: Path, line: str) -> None:
    path.write_text(f"{line}\n{path.read_text()}")


def test_update_merges_and_keeps_the_secret(template: Path, created: Path) -> None:
    secret = (created / ".env").read_text()
    prepend(template / FOLDER.name / "aggregator" / "views.py", "# Of the template.")
    (template / FOLDER.name / "added.txt").write_text("Of the template.\n")
    commit_all(template)
    append(created / "aggregator" / "views.py", "# Of the owner.")
    append(created / "README.md", "Of the owner.")
    commit_all(created)

    output = run(created, CRUFT, "update", "--skip-apply-ask")

    lines = (created / "aggregator" / "views.py").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("# Of the template.", "# Of the owner.")
    assert (created / "added.txt").exists()
    assert (created / "README.md").read_text().endswith("Of the owner.\n")
    assert (created / ".env").read_text() == secret
    assert "different update strategy" not in output
    changed = run(created, "git", "status", "--porcelain", "--ignored").split()
    assert set(changed[1::2]) == {".cruft.json", "added.txt", "aggregator/views.py", ".env"}


def test_project_without_changes_of_its_own_does_not_differ(template: Path, created: Path) -> None:
    run(created, CRUFT, "diff", "--exit-code")
    append(template / FOLDER.name / "README.md", "Of the template.")
    commit_all(template)

    run(created, CRUFT, "update", "--skip-apply-ask")

    run(created, CRUFT, "diff", "--exit-code")

"""The scripts of the release workflow, and the places that contain the version."""

import re
import tomllib
from pathlib import Path

import pytest

from scripts.example import push_example
from scripts.release_notes import release_notes
from tests.template import TEMPLATE, run

CHANGELOG = (TEMPLATE / "CHANGELOG.md").read_text()


def version() -> str:
    """Return the version in pyproject.toml."""
    project = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]
    return str(project["version"])


def test_notes_are_the_section_of_the_version() -> None:
    changelog = """# Changelog

## Unreleased

## 1.1.0 - 2026-12-01

- New.

## 1.0.0 - 2026-11-24

- Old.
"""
    assert release_notes(changelog, "1.1.0") == "- New."
    assert release_notes(changelog, "1.0.0") == "- Old."
    with pytest.raises(LookupError, match=r"no dated section for 1\.2\.0"):
        release_notes(changelog, "1.2.0")


def test_version_is_in_the_changelog_and_in_the_readme() -> None:
    assert release_notes(CHANGELOG, version())
    tags = re.findall(
        r"(?:--checkout|--vcs-ref) (\d+\.\d+\.\d+)", (TEMPLATE / "README.md").read_text()
    )
    assert set(tags) == {version()}


def test_example_repository_follows_each_release(tmp_path: Path) -> None:
    remote = tmp_path / "example.git"
    run(tmp_path, "git", "init", "--quiet", "--bare", "--initial-branch=main", remote)
    for number in ("1.0.0", "1.0.1"):
        (tmp_path / number).mkdir()
        push_example(str(remote), number, tmp_path / number)

    subjects = run(remote, "git", "log", "--format=%s", "main").splitlines()
    assert subjects == ["Render 1.0.1", "Render 1.0.0"]
    assert run(remote, "git", "tag").split() == ["1.0.0", "1.0.1"]
    files = run(remote, "git", "ls-tree", "-r", "--name-only", "main").splitlines()
    assert "manage.py" in files
    assert ".env" not in files

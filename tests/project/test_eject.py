"""`make eject` makes `onloop` the project's own code, with its tests."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.project.test_update import commit_all
from tests.project.type_checks import type_check
from tests.template import copy_template, python, run


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A git repository that holds a copy of the template."""
    copy = copy_template(tmp_path / "template")
    commit_all(copy)
    return copy


@pytest.fixture
def copy(project: Path, template: Path, tmp_path: Path) -> Path:
    """A project that Cookiecutter rendered from the copy; its virtualenv is that of `project`."""
    command = ["-m", "cookiecutter", "--no-input", "--output-dir", str(tmp_path), str(template)]
    run(tmp_path, sys.executable, *command)
    copy = tmp_path / "async_service"
    (copy / ".venv").symlink_to(project / ".venv")
    for name in ("pyproject.toml", "poetry.lock"):
        shutil.copystat(project / name, copy / name)  # Make considers it installed.
    return copy


def refusal(project: Path, command: str = "make eject") -> str:
    """Return the output of a command that must fail without changing a file."""
    output = run(project, "sh", "-c", f"{command} || true")
    assert "CommandError: " in output
    assert "Traceback" not in output
    assert (project / "onloop" / "MANIFEST").exists()
    assert not (project / "packages").exists()
    return output


def test_ejected_folder_passes_the_project_checks_and_its_own_tests(
    project: Path, copy: Path
) -> None:
    run(copy, "make", "eject")

    assert not (copy / "onloop" / "MANIFEST").exists()
    assert "onloop/gc.py\n" in run(copy, str(python(copy)), "-m", "ruff", "check", "--show-files")
    run(copy, str(python(copy)), "-m", "ruff", "check")
    run(copy, str(python(copy)), "-m", "ruff", "format", "--check")
    type_check(copy, project)
    run(copy, str(python(copy)), "-m", "pytest", "tests/test_documentation.py")
    run(copy / "packages" / "onloop", str(python(copy)), "-m", "pytest", "tests/test_static.py")


def test_eject_is_refused_for_another_onloop(copy: Path, template: Path) -> None:
    record = copy / ".cruft.json"
    commit = json.loads(record.read_text())["commit"]
    (template / "{{cookiecutter.project_slug}}" / "onloop" / "MANIFEST").write_text("newer")
    commit_all(template)
    newer = run(template, "git", "rev-parse", "HEAD").strip()
    record.write_text(record.read_text().replace(commit, newer))

    assert f"{template} holds another onloop at {newer}: update the project first." in refusal(copy)


def test_eject_is_refused_where_the_template_cannot_be_read(copy: Path, template: Path) -> None:
    clone = template.rename(template.with_name("clone"))

    assert "which cannot be read: go online, or name a clone of it with make eject" in refusal(copy)
    (copy / ".cruft.json").unlink()
    assert "No template is recorded: name a clone of it with make eject" in refusal(copy)

    run(copy, "make", "eject", f"FROM={clone}")
    assert (copy / "packages" / "onloop" / "tests" / "test_static.py").exists()

"""`manage.py eject` takes the folder over, with its tests from the recorded template."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests.management.conftest import commit


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A repository that holds the same `onloop` as the project, and its tests."""
    template = tmp_path / "template"
    (template / "rendered" / "onloop").mkdir(parents=True)
    (template / "rendered" / "onloop" / "MANIFEST").write_text("# onloop\n")
    tests = template / "packages" / "onloop"
    (tests / "tests").mkdir(parents=True)
    (tests / "tests" / "test_one.py").write_text("")
    (tests / "pyproject.toml").write_text('path = "../../rendered/onloop/__init__.py"\n')
    (tests / "onloop").symlink_to("../../rendered/onloop")
    return template


def record(project: Path, template: Path, tool: str) -> None:
    """Write what cruft or copier records of the template's present commit."""
    if tool == "cruft":
        text = json.dumps({"template": str(template), "commit": commit(template)})
        (project / ".cruft.json").write_text(text)
    else:
        text = f"_commit: {commit(template)}\n_src_path: {template}\nproject_name: A\n"
        (project / ".copier-answers.yml").write_text(text)


@pytest.mark.parametrize("tool", ["cruft", "copier"])
def test_folder_is_taken_over_with_its_tests(project: Path, template: Path, tool: str) -> None:
    record(project, template, tool)

    call_command("eject")

    assert [path.name for path in (project / "onloop").iterdir()] == []
    assert (project / "packages" / "onloop" / "tests" / "test_one.py").exists()
    assert (project / "packages" / "onloop" / "onloop").resolve() == project / "onloop"
    metadata = (project / "packages" / "onloop" / "pyproject.toml").read_text()
    assert metadata == 'path = "../../onloop/__init__.py"\n'
    configuration = (project / "pyproject.toml").read_text()
    assert "silent" not in configuration
    assert "extend-exclude" not in configuration
    assert (project / "Makefile").read_text() == "EXTRAS ?= fast otel postgres redis rq\n"


def test_tests_come_from_a_clone_when_offline(project: Path, template: Path) -> None:
    record(project, template, "cruft")
    clone = template.rename(template.with_name("clone"))

    with pytest.raises(CommandError, match=r"cannot be read: go online, or name a clone"):
        call_command("eject")
    call_command("eject", "--from", str(clone))

    assert (project / "packages" / "onloop" / "tests").exists()


def test_eject_is_refused_without_a_record(project: Path) -> None:
    with pytest.raises(CommandError, match="No template is recorded"):
        call_command("eject")


def test_eject_is_refused_for_another_onloop(project: Path, template: Path) -> None:
    record(project, template, "cruft")
    (project / "onloop" / "MANIFEST").write_text("# newer\n")

    with pytest.raises(
        CommandError, match=r"holds another onloop at \w+: update the project first"
    ):
        call_command("eject")

    assert not (project / "packages").exists()


def test_eject_is_refused_twice(project: Path) -> None:
    (project / "packages" / "onloop").mkdir(parents=True)
    with pytest.raises(CommandError, match="packages/onloop exists already"):
        call_command("eject")

    (project / "onloop" / "MANIFEST").unlink()
    with pytest.raises(CommandError, match="it is the project's own code already"):
        call_command("eject")

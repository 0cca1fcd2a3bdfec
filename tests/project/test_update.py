"""A project rendered by cruft or copier receives later changes of the template."""

import json
import sys
from pathlib import Path

import pytest

from tests.template import FOLDER, copy_template, files_of, run

BIN = Path(sys.executable).parent
AUTHOR = {
    f"GIT_{role}_{name}": value
    for role in ("AUTHOR", "COMMITTER")
    for name, value in {"NAME": "Ada Lovelace", "EMAIL": "ada@example.com"}.items()
}


class Cruft:
    """cruft, with the commands that the README names."""

    state = ".cruft.json"

    def create(self, template: Path, project: Path) -> None:
        run(project.parent, BIN / "cruft", "create", template, "--no-input")

    def update(self, project: Path) -> str:
        command = ("update", "--refresh-private-variables", "--skip-apply-ask")
        return run(project, BIN / "cruft", *command)


class Cookiecutter(Cruft):
    """Cookiecutter, whose projects cruft updates."""

    def create(self, template: Path, project: Path) -> None:
        run(project.parent, BIN / "cookiecutter", "--no-input", template)


class Copier:
    """copier, with the commands that the README names."""

    state = ".copier-answers.yml"

    def create(self, template: Path, project: Path) -> None:
        command = ("copy", "--trust", "--vcs-ref=HEAD", "--defaults")
        run(project.parent, BIN / "copier", *command, template, project.name)

    def update(self, project: Path) -> str:
        return run(project, BIN / "copier", "update", "--trust", "--vcs-ref=HEAD", "--defaults")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A git repository that holds a copy of the template."""
    copy = copy_template(tmp_path / "template")
    commit_all(copy)
    return copy


@pytest.fixture(params=[Cruft(), Copier()], ids=["cruft", "copier"])
def tool(request: pytest.FixtureRequest) -> Cruft | Copier:
    tool: Cruft | Copier = request.param
    return tool


@pytest.fixture
def created(tool: Cruft | Copier, template: Path, tmp_path: Path) -> Path:
    """A project that the tool rendered from the copy, committed to its own repository."""
    project = tmp_path / "async_service"
    tool.create(template, project)
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


def copy_without_render(template: Path, pattern: str) -> None:
    """Add a pattern to the files that the template copies as they are."""
    prompts = json.loads((template / "cookiecutter.json").read_text())
    prompts["_copy_without_render"].append(pattern)
    (template / "cookiecutter.json").write_text(json.dumps(prompts, indent=4))


def changed(project: Path) -> dict[str, str]:
    """Return git's status of each file that differs from the last commit, ignored ones too."""
    lines = run(project, "git", "status", "--porcelain", "--ignored", "-uall").splitlines()
    return {line[3:]: line[:2].strip() for line in lines}


def test_update_merges_marks_conflicts_and_keeps_the_secret(
    tool: Cruft | Copier, template: Path, created: Path
) -> None:
    secret = (created / ".env").read_text()
    folder = template / FOLDER.name
    first = (folder / "live" / "views.py").read_text().splitlines()[0]
    for name in ("aggregator/views.py", "live/views.py", "onloop/redis.py"):
        prepend(folder / name, "# Of the template.")
    (folder / "Dockerfile").unlink()
    (folder / "onloop" / "per_loop.py").unlink()
    (folder / "onloop" / "added.py").write_text("# {{ copied as it is }}\n")
    copy_without_render(template, "*.txt")
    (folder / "added.txt").write_text("{{ copied as it is }}\n")
    commit_all(template)
    append(created / "aggregator" / "views.py", "# Of the owner.")
    append(created / "README.md", "Of the owner.")
    prepend(created / "live" / "views.py", "# Of the owner.")
    (created / "compose.yaml").unlink()
    commit_all(created)

    output = tool.update(created)

    lines = (created / "aggregator" / "views.py").read_text().splitlines()
    assert (lines[0], lines[-1]) == ("# Of the template.", "# Of the owner.")
    assert (created / "README.md").read_text().endswith("Of the owner.\n")
    assert (created / "added.txt").read_text() == "{{ copied as it is }}\n"
    assert files_of(created / "onloop") == files_of(folder / "onloop")
    assert (created / ".env").read_text() == secret
    assert "different update strategy" not in output
    lines = (created / "live" / "views.py").read_text().splitlines()
    conflict = lines[: lines.index(first)]
    assert [line[:7] for line in conflict] == [
        *("<<<<<<<", "# Of the owner."[:7], "=======", "# Of the template."[:7], ">>>>>>>")
    ]
    differing = changed(created)
    assert differing.pop("live/views.py") == "UU"
    assert set(differing) == {
        *(".env", tool.state, "Dockerfile", "added.txt", "aggregator/views.py"),
        *("onloop/added.py", "onloop/per_loop.py", "onloop/redis.py"),
    }


@pytest.mark.parametrize("tool", [Cruft()], indirect=True, ids=["cruft"])
def test_untouched_project_does_not_differ(created: Path) -> None:
    run(created, BIN / "cruft", "diff", "--exit-code")


@pytest.mark.parametrize("tool", [Cookiecutter()], indirect=True, ids=["cookiecutter"])
def test_project_of_cookiecutter_does_not_differ_before_and_after_an_update(
    tool: Cruft, template: Path, created: Path
) -> None:
    run(created, BIN / "cruft", "diff", "--exit-code")
    append(template / FOLDER.name / "README.md", "Of the template.")
    commit_all(template)

    tool.update(created)

    assert (created / "README.md").read_text().endswith("Of the template.\n")
    run(created, BIN / "cruft", "diff", "--exit-code")

"""Render the template as its users do, and run commands in what was rendered."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent.parent
FOLDER = TEMPLATE / "{{cookiecutter.project_slug}}"
# A `make` that runs these tests must not affect those that the tests run. And a project starts many
# processes: without bytecode each of them would compile Django again. pip compiles all that it
# installs, of which a test imports little.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("MAKE") and name != "PYTHONDONTWRITEBYTECODE"
} | {
    "MYPY_CACHE_DIR": str(TEMPLATE / "build" / "mypy"),  # Most of what mypy reads is the same.
    "PIP_COMPILE": "false",
}
ANSWERS: dict[str, str] = {
    name: answer[0] if isinstance(answer, list) else answer
    for name, answer in json.loads((TEMPLATE / "cookiecutter.json").read_text()).items()
    if not name.startswith("_")
}


@dataclass
class Rendering:
    """The result of `cookiecutter`: its exit status, its output, and its folder."""

    status: int
    output: str
    folder: Path

    @property
    def project(self) -> Path:
        """The one project in the folder."""
        (project,) = self.folder.iterdir()
        return project


def render(folder: Path, *options: str, **answers: str) -> Rendering:
    """Run `cookiecutter --no-input` on the template, as a separate command."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", *options, "-o", str(folder)]
    extra_context = [f"{prompt}={answer}" for prompt, answer in answers.items()]
    run = subprocess.run(
        [*command, str(TEMPLATE), *extra_context],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return Rendering(run.returncode, run.stdout + run.stderr, folder)


def copy_template(folder: Path) -> Path:
    """Copy this template, without the files that git ignores, and return the folder."""
    files = run(TEMPLATE, "git", "ls-files", "--cached", "--others", "--exclude-standard")
    for name in files.splitlines():
        if (TEMPLATE / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(TEMPLATE / name, folder / name, follow_symlinks=False)
    return folder


def copy_project(project: Path, copy: Path) -> Path:
    """Copy a project with its bytecode, without what was installed or is written by other tests."""
    others = (".venv", ".tools", ".git", ".*_cache", ".coverage*", "*.sqlite3*", "*.pyc.*")
    shutil.copytree(project, copy, ignore=shutil.ignore_patterns(*others))
    return copy


def python(project: Path) -> Path:
    """Return the interpreter of the virtualenv that Poetry made inside the project."""
    return project / ".venv" / "bin" / "python"


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the contents of all files below a folder, by their paths in it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def run(project: Path, *command: str | Path, **variables: str) -> str:
    """Run a command in a project with `variables` in its environment, and return what it printed.

    Raises:
        AssertionError: the command failed; the message holds all it printed.
    """
    done = subprocess.run(
        command,
        cwd=project,
        env=ENVIRONMENT | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout

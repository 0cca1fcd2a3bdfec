"""`manage.py eject`: make `onloop` the project's own code, with its tests.

This removes the seal and copies `packages/onloop` from the template, at the commit that the project
was generated from.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from onloop.seal import MANIFEST

TESTS = Path("packages", "onloop")
# The configuration that excludes the sealed folder, and its replacements.
CHANGES = {
    "pyproject.toml": {
        'extend-exclude = ["onloop"]\nforce-exclude = true\n': "",
        'exclude = ["^onloop/"]\n': 'exclude = ["^packages/"]\n',
        '\n[[tool.mypy.overrides]]\nmodule = ["onloop.*"]\nfollow_imports = "silent"\n': "",
        'addopts = ["--strict-markers"': 'addopts = ["--ignore=packages", "--strict-markers"',
        'omit = ["onloop/*"': 'omit = ["onloop/*", "packages/*"',
        'skip = [".env"': 'skip = [".env", "onloop/MANIFEST", "onloop/README.md"',
    },
    "Makefile": {"EXTRAS ?= postgres redis\n": "EXTRAS ?= fast otel postgres redis rq\n"},
}


class Command(BaseCommand):
    """Take the folder over, if its tests can be fetched."""

    help = "Makes onloop the project's own code, and fetches its tests from the template."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--from`."""
        parser.add_argument("--from", dest="clone", help="A local clone of the template.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Take the folder over.

        Raises:
            CommandError: that is done already, or the tests cannot be fetched; no file has been
                changed.
        """
        project = Path(settings.BASE_DIR)
        if not (project / "onloop" / MANIFEST).exists():
            raise CommandError("onloop has no MANIFEST: it is the project's own code already.")
        if (project / TESTS).exists():
            raise CommandError(f"{TESTS} exists already: move it first.")
        template, commit = recorded(project)
        fetch_tests(project, options["clone"] or template, commit)
        take_over(project)
        self.stdout.write(f"onloop is yours, with its tests in {TESTS}. Next: make install test")


def recorded(project: Path) -> tuple[str, str]:
    """Return the template and commit that cruft or copier has recorded, or two empty texts."""
    cruft, copier = project / ".cruft.json", project / ".copier-answers.yml"
    if cruft.exists():
        record = json.loads(cruft.read_text(encoding="utf-8"))
        return record["template"], record["commit"]
    if copier.exists():
        found = dict(re.findall(r"(?m)^(_\w+): '?([^'\n]+)", copier.read_text(encoding="utf-8")))
        return re.sub("^gh:", "https://github.com/", found["_src_path"]), found["_commit"]
    return "", ""


def fetch_tests(project: Path, template: str, commit: str) -> None:
    """Copy `packages/onloop` of the template into the project.

    Raises:
        CommandError: no template is known, it cannot be read, or its `onloop` is a different one.
    """
    if not template:
        raise CommandError(
            "No template is recorded: name a clone of it with make eject FROM=/path/to/clone."
        )
    with TemporaryDirectory() as folder:
        try:
            git("clone", "--quiet", "--no-checkout", template, folder)
            git("-C", folder, "checkout", "--quiet", commit or "HEAD")
        except subprocess.CalledProcessError as error:
            raise CommandError(
                f"The tests of onloop come from {template}, commit {commit or 'HEAD'}, which cannot"
                " be read: go online, or name a clone of it with make eject FROM=/path/to/clone."
            ) from error
        link = Path(folder, TESTS, "onloop")
        theirs = (link / MANIFEST).read_text(encoding="utf-8")
        if theirs != (project / "onloop" / MANIFEST).read_text(encoding="utf-8"):
            raise CommandError(
                f"{template} holds another onloop at {commit or 'HEAD'}: update the project first."
            )
        rendered = link.resolve().parent.name
        link.unlink()
        shutil.copytree(Path(folder, TESTS), project / TESTS)
    (project / TESTS / "onloop").symlink_to(Path("..", "..", "onloop"))
    change(project / TESTS / "pyproject.toml", {f"{rendered}/": ""})


def git(*command: str) -> None:
    """Run a git command.

    Raises:
        CalledProcessError: it failed.
    """
    subprocess.run(["git", *command], capture_output=True, check=True)  # noqa: S603, S607


def take_over(project: Path) -> None:
    """Remove the seal, and include the folder in linting, type checking and coverage."""
    for name, changes in CHANGES.items():
        change(project / name, changes)
    (project / "onloop" / MANIFEST).unlink()
    (project / "onloop" / "README.md").unlink()


def change(path: Path, changes: dict[str, str]) -> None:
    """Replace each of the texts in a file."""
    text = path.read_text(encoding="utf-8")
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")

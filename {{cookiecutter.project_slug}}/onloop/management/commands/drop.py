"""`manage.py drop`: delete apps with everything that belongs to them.

An app's parts are identified by its name: its folder and that of its tests, lines with `"jobs"` or
`"jobs.urls"`, sections named `Jobs`, the page `docs/jobs.md`, and services that run a command such
as `jobs_worker`. Its settings are those of its section in `config/settings.py`.
"""

import ast
import shutil
import subprocess
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from onloop.management.belongings import (
    App,
    app_of,
    environment_without,
    markdown_without,
    python_without,
    runs_command_of,
    toml_without,
    without_lines,
    yaml_without,
)
from onloop.management.settings_page import settings_page

EDITS: dict[str, Callable[[App, str], str]] = {
    "config/*.py": python_without,
    "tests/*.py": python_without,
    "pyproject.toml": toml_without,
    "compose.yaml": yaml_without,
    ".env.example": environment_without,
    "deploy/**/*.env*": environment_without,
    "*.md": markdown_without,
    "docs/*.md": markdown_without,
}


class Command(BaseCommand):
    """Delete apps, unless remaining code uses them or they have uncommitted changes."""

    help = "Deletes apps with their tests, settings, URLs, documentation and deploy files."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the names of the apps."""
        parser.add_argument("apps", nargs="+", metavar="APP", help="The app's folder.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Delete the apps.

        Raises:
            CommandError: they cannot be dropped; no file has been changed.
        """
        project, apps = Path(settings.BASE_DIR), options["apps"]
        refuse(project, apps)
        drop(project, apps)
        self.stdout.write(f"Dropped {' and '.join(apps)}. Next: make check test")


def refuse(project: Path, apps: list[str]) -> None:
    """Check that the apps can be dropped.

    Raises:
        CommandError: they cannot, for the reason in its one sentence.
    """
    for app in apps:
        if app not in droppable(project):
            choice = ", ".join(droppable(project))
            raise CommandError(f"{app} is not an app that can be dropped: choose from {choice}.")
        if users := sorted(set(users_of(project, app, apps))):
            raise CommandError(f"{app} is used by {', '.join(users)}: drop or change that first.")
        if has_changes(project, app):
            raise CommandError(f"{app} has changes that are not committed: commit them first.")


def droppable(project: Path) -> list[str]:
    """Return the project's apps, without `onloop` and the app of the user model."""
    needed = {"onloop", settings.AUTH_USER_MODEL.partition(".")[0]}
    return sorted({path.parent.name for path in project.glob("*/apps.py")} - needed)


def users_of(project: Path, app: str, apps: list[str]) -> Iterable[str]:
    """Yield the remaining apps, and the files outside of apps, that import `app`."""
    for path in [*project.glob("*.py"), *project.glob("[!.]*/**/*.py")]:
        folder, *below = path.relative_to(project).parts
        owner = below[0] if folder == "tests" and below else folder
        if owner not in apps and app in imported(path):
            yield owner if owner in droppable(project) else path.relative_to(project).as_posix()


def imported(path: Path) -> set[str]:
    """Return the top-level packages that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import():
                names |= {alias.name.partition(".")[0] for alias in node.names}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.partition(".")[0])
    return names


def has_changes(project: Path, app: str) -> bool:
    """Return whether the app has changes that git could not restore."""
    status = subprocess.run(  # noqa: S603
        ["git", "status", "--porcelain", "--", app, f"tests/{app}"],  # noqa: S607
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    return status.returncode == 0 and bool(status.stdout)


def drop(project: Path, apps: list[str]) -> None:
    """Delete the apps' files, and their parts in the remaining files."""
    module = project / "config" / "settings.py"
    for name in apps:
        app = app_of(name, module.read_text(encoding="utf-8"))
        shutil.rmtree(project / name)
        shutil.rmtree(project / "tests" / name, ignore_errors=True)
        (project / "docs" / f"{name}.md").unlink(missing_ok=True)
        for manifest in (project / "deploy").rglob("*.yaml"):
            if runs_command_of(app, manifest.read_text(encoding="utf-8")):
                manifest.unlink()
                line = rf" *- {manifest.name}"
                edit(manifest.with_name("kustomization.yaml"), partial(without_lines, line))
        for pattern, without in EDITS.items():
            for path in project.glob(pattern):
                edit(path, partial(without, app))
    page = settings_page(module.read_text(encoding="utf-8"))
    (project / "docs" / "settings.md").write_text(page, encoding="utf-8")


def edit(path: Path, change: Callable[[str], str]) -> None:
    """Replace the text of a file with the result of `change`."""
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

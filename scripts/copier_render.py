"""Render the project into the current folder, as a task of copier: see `_tasks` of copier.yml.

Cookiecutter does the rendering, so both tools produce the same project: derived values, files that
are copied without rendering, and hooks are defined only once.
"""

import json
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

from cookiecutter.exceptions import CookiecutterException
from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent


def render(answers: dict[str, str], project: Path, *, overwrite: bool) -> None:
    """Render the template into `project`, whose `.env` stays if it has one.

    Exit with the hook's sentence on a bad answer, and with one sentence where a file would be
    overwritten and `overwrite` is false.
    """
    logging.getLogger("cookiecutter").setLevel(logging.CRITICAL)  # It logs tracebacks of hooks.
    with tempfile.TemporaryDirectory() as folder:
        try:
            rendered = Path(
                cookiecutter(
                    str(TEMPLATE),
                    no_input=True,
                    extra_context={name: verbatim(answer) for name, answer in answers.items()},
                    output_dir=folder,
                )
            )
        except CookiecutterException:
            sys.exit(1)
        (rendered / ".cruft.json").unlink(missing_ok=True)  # copier has its own record.
        if (project / ".env").exists():
            (rendered / ".env").unlink()
        if not overwrite and (differing := differing_files(rendered, project)):
            sys.exit(
                f"{', '.join(differing[:5])} would be overwritten:"
                " use another folder, or --overwrite."
            )
        shutil.copytree(rendered, project, dirs_exist_ok=True)


def verbatim(answer: str) -> str:
    """Return Jinja that renders to the answer, because Cookiecutter renders answers too."""
    return f"{{{{ {json.dumps(answer, ensure_ascii=False)} }}}}" if "{" in answer else answer


def differing_files(rendered: Path, project: Path) -> list[str]:
    """Return the rendered files that the project has with different contents."""
    names = [file.relative_to(rendered) for file in rendered.rglob("*") if file.is_file()]
    return sorted(
        name.as_posix()
        for name in names
        if (project / name).exists()
        and (project / name).read_bytes() != (rendered / name).read_bytes()
    )


if __name__ == "__main__":
    # copier prints the next command: the hook knows no other folder than the slug.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    render(json.loads(sys.argv[1]), Path.cwd(), overwrite=sys.argv[2] == "overwrite")

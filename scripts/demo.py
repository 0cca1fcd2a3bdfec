"""Render a project into `build/demo` and serve it, for `make demo`.

1. Reject a bad or busy port, and a machine without a Python that the project accepts.
2. Render the template with the answers PROJECT_NAME, FAN_OUT and UPSTREAM_URL of the environment.
3. Refuse to overwrite files that were changed since they were last rendered.
4. Print the URLs and become `make run` inside the project, so that Ctrl-C reaches the server.
"""

import logging
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import findpython
from cookiecutter.exceptions import CookiecutterException
from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent
DEMO = TEMPLATE / "build" / "demo"
OLDEST_PYTHON = (3, 12)
ANSWERS = ("PROJECT_NAME", "FAN_OUT", "UPSTREAM_URL")


def refuse_busy_port(value: str) -> None:
    """Exit with one sentence unless a server can listen on the port."""
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= 65535):
        sys.exit(f"PORT is {value!r}, but it must be a whole number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(value)))
        except OSError as error:
            sys.exit(
                f"Port {value} of 127.0.0.1 cannot be used ({error.strerror}):"
                " stop the server there, or choose another port with make demo PORT=..."
            )


def refuse_missing_python() -> None:
    """Exit with one sentence unless Poetry can find a Python that the project accepts."""
    found = (
        python
        for provider in findpython.Finder().setup_providers()
        for python in provider.find_pythons()
        if python.is_valid() and python.version.release >= OLDEST_PYTHON
    )
    if sys.version_info < OLDEST_PYTHON and not any(found):
        oldest = ".".join(map(str, OLDEST_PYTHON))
        sys.exit(f"No Python >= {oldest} was found, and the project needs one: install it first.")


def render(folder: Path) -> Path:
    """Render into `folder`. Returns the project; exits with the hook's sentence on a bad answer."""
    logging.getLogger("cookiecutter").setLevel(logging.CRITICAL)  # It logs the tracebacks of hooks.
    answers = {name.lower(): os.environ[name] for name in ANSWERS if name in os.environ}
    try:
        rendered = cookiecutter(
            str(TEMPLATE), no_input=True, extra_context=answers, output_dir=str(folder)
        )
    except CookiecutterException:
        sys.exit(1)
    return Path(rendered)


def take_over(rendered: Path, demo: Path) -> Path:
    """Copy the rendered project to the folder of the same name in `demo`, and return that folder.

    Its `.env` stays, and so does everything that was not rendered, such as the virtualenv. Exit
    with one sentence if a file that the user has changed would be overwritten.
    """
    project, last = demo / rendered.name, demo / ".last" / rendered.name
    if changed := changed_files(project, last, rendered):
        place = os.path.relpath(project)
        sys.exit(
            f"Rendering would overwrite your changes in {place}: {', '.join(changed[:5])}."
            f" Serve it unchanged with make -C {place} run, or move the folder."
        )
    if (project / ".env").exists():
        (rendered / ".env").unlink()
    shutil.copytree(rendered, project, dirs_exist_ok=True)
    shutil.rmtree(last, ignore_errors=True)
    shutil.move(rendered, last)
    return project


def changed_files(project: Path, last: Path, rendered: Path) -> list[str]:
    """Return the rendered files, except `.env`, that the project has changed."""
    names = [file.relative_to(rendered) for file in rendered.rglob("*")]
    return sorted(
        name.as_posix()
        for name in names
        if (project / name).is_file()
        and name != Path(".env")
        and not any(same(project / name, folder / name) for folder in (last, rendered))
    )


def same(file: Path, other: Path) -> bool:
    """Return whether both exist and have the same contents."""
    return other.is_file() and file.read_bytes() == other.read_bytes()


def main() -> None:
    """Render, announce, serve."""
    port = os.environ.get("PORT", "8000")
    refuse_busy_port(port)
    refuse_missing_python()
    with tempfile.TemporaryDirectory() as folder:
        project = take_over(render(Path(folder)), DEMO)
    print(f"Rendered into {os.path.relpath(project)}; make installs and serves it:")
    for path in ("/", "/sync/api/?task_id=1", "/async/api_aggregated/", "/admin/"):
        print(f"  http://127.0.0.1:{port}{path}")
    print("Ctrl-C ends it.", flush=True)
    os.environ["PORT"] = port
    os.execvp("make", ["make", "--no-print-directory", "-C", str(project), "run"])


if __name__ == "__main__":
    main()

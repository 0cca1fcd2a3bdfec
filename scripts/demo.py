"""Render a project into `build/demo` and serve it, for `make demo`.

1. Refuse a bad or busy port, and a machine without a Python that the project accepts.
2. Render the template with the answers PROJECT_NAME, FAN_OUT and UPSTREAM_URL of the environment.
3. Print the URLs and become `make run` inside the project, so that Ctrl-C reaches the server.
"""

import logging
import os
import socket
import sys
from pathlib import Path

import findpython
from cookiecutter.exceptions import CookiecutterException
from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent
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
                " stop what listens there, or choose another with make demo PORT=..."
            )


def refuse_missing_python() -> None:
    """Exit with one sentence unless Poetry will find a Python that the project accepts."""
    found = (
        python
        for provider in findpython.Finder().setup_providers()
        for python in provider.find_pythons()
        if python.is_valid() and python.version.release >= OLDEST_PYTHON
    )
    if sys.version_info < OLDEST_PYTHON and not any(found):
        oldest = ".".join(map(str, OLDEST_PYTHON))
        sys.exit(f"No Python >= {oldest} was found, and the project needs one: install it first.")


def render() -> Path:
    """Render the project and return its folder; exit with the hook's sentence on a bad answer."""
    logging.getLogger("cookiecutter").setLevel(logging.CRITICAL)  # It logs tracebacks of hooks.
    answers = {name.lower(): os.environ[name] for name in ANSWERS if name in os.environ}
    try:
        folder = cookiecutter(
            str(TEMPLATE),
            no_input=True,
            extra_context=answers,
            output_dir=str(TEMPLATE / "build" / "demo"),
            overwrite_if_exists=True,
        )
    except CookiecutterException:
        sys.exit(1)
    return Path(folder)


def main() -> None:
    """Render, announce, serve."""
    port = os.environ.get("PORT", "8000")
    refuse_busy_port(port)
    refuse_missing_python()
    project = render()
    for path in ("/", "/sync/api/?task_id=1", "/async/api_aggregated/", "/admin/"):
        print(f"  http://127.0.0.1:{port}{path}")
    print("Ctrl-C ends it.", flush=True)
    os.environ["PORT"] = port
    os.execvp("make", ["make", "--no-print-directory", "-C", str(project), "run"])


if __name__ == "__main__":
    main()

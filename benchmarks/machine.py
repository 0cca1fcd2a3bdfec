"""The machine and the versions of a run."""

import json
import os
import platform
import subprocess
from pathlib import Path

from benchmarks.servers import project_python
from benchmarks.versions import SHARED, SHOWN, installed


def installed_in(project: Path) -> dict[str, str]:
    """The versions the rendered project's interpreter has.

    Raises `SystemExit` when there is none.
    """
    python = project_python(project)
    if not python.exists():
        raise SystemExit(f"{project} has no .venv/bin/python: render and install it first.")
    answer = subprocess.run(
        [python, Path(__file__).with_name("versions.py")],
        capture_output=True,
        text=True,
        check=True,
    )
    versions: dict[str, str] = json.loads(answer.stdout)
    return versions


def require_same(ours: dict[str, str], theirs: dict[str, str]) -> None:
    """Raises `SystemExit` when a library that both have is there in two versions."""
    for name in SHARED:
        if name in theirs and ours.get(name) != theirs[name]:
            raise SystemExit(
                f"The rendered project has {name} {theirs[name]}, the benchmark's own environment "
                f"{ours.get(name, 'none')}: install the same version in both."
            )


def header(project: Path) -> list[str]:
    """The lines that describe the machine and the versions of a run."""
    ours, theirs = installed(), installed_in(project)
    require_same(ours, theirs)
    versions = ours | theirs
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return [
        f"Machine: {os.cpu_count()} cores, {memory:.0f} GiB memory, {platform.system()} "
        f"{platform.release()}, {platform.machine()}",
        "Versions: " + ", ".join(f"{name} {versions[name]}" for name in SHOWN if name in versions),
    ]

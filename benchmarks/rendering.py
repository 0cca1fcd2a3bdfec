"""How long the template takes to render, as a whole process."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.lineup import ROOT
from benchmarks.run import Run

WORK = "rendering the template, whole process"
CONTENDER = "cookiecutter"
RUNS_PER_ROUND = 4
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"


def rendering(run: Run) -> None:
    """`cookiecutter --no-input`, hooks included, into a new folder each time.

    The first run is not counted: after it the modules are there as bytecode, as for any user.
    """
    render()
    for _ in range(run.rounds * RUNS_PER_ROUND):
        run.results.add(WORK, CONTENDER, {"seconds": render()})


def render() -> float:
    """Seconds from start to end of one process.

    Raises `RuntimeError` with what cookiecutter printed when it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        output.mkdir()
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--default-config"]
        start = time.perf_counter()
        process = subprocess.run(
            [*command, "-o", output, ROOT],
            env={name: os.environ[name] for name in os.environ if name != NO_BYTECODE},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.perf_counter() - start
        if process.returncode or not any(output.iterdir()):
            raise RuntimeError(f"The template does not render: {process.stderr.strip()}")
    return seconds

"""The tests of `onloop`.

Where `onloop` is a link into the folder that Cookiecutter copies whole, its bytecode goes to
build/. It is written whatever the shell says: without it each of the many processes that the tests
start would compile Django again.
"""

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
if (PACKAGE / "onloop").is_symlink():
    sys.pycache_prefix = str(PACKAGE.parents[1] / "build" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

# Coverage makes the start of a process nearly twice as expensive, so only those processes are
# measured that run lines which no test runs in its own process: they are started with MEASURED.
MEASURED = {"COVERAGE_PROCESS_CONFIG": os.environ.pop("COVERAGE_PROCESS_CONFIG", "")}

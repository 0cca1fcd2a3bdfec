"""The tests of `onloop`. Its bytecode goes to build/, as Cookiecutter copies its folder whole.

It is written whatever the shell says: without it each of the many processes that the tests start
would compile Django again.
"""

import os
import sys
from pathlib import Path

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.pycache_prefix = str(Path(__file__).resolve().parents[3] / "build" / "bytecode")
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

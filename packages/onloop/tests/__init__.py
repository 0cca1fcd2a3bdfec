"""The tests of `onloop`. Its bytecode goes to build/, as Cookiecutter copies its folder whole."""

import os
import sys
from pathlib import Path

sys.pycache_prefix = str(Path(__file__).resolve().parents[3] / "build" / "bytecode")
os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix

"""Refresh the `poetry.lock` that ships with every rendered project, for `make lock`.

No prompt changes a dependency, so the lock of one rendered project is valid for all.
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent
LOCK = TEMPLATE / "{{cookiecutter.project_slug}}" / "poetry.lock"


def main() -> None:
    """Render a project, have Poetry lock it again, and copy the lock back into the template."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=folder))
        subprocess.run([os.environ["POETRY"], "lock", "--regenerate"], cwd=project, check=True)
        shutil.copyfile(project / "poetry.lock", LOCK)


if __name__ == "__main__":
    main()

"""Push a project rendered from the defaults to the repository REMOTE, as a commit with a tag.

Its history has one commit per release, so its diffs show what a release changes in a project.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

TEMPLATE = Path(__file__).resolve().parent.parent
AUTHOR = (
    *("-c", "user.name=github-actions[bot]"),
    *("-c", "user.email=41898282+github-actions[bot]@users.noreply.github.com"),
)


def push_example(remote: str, version: str, folder: Path) -> None:
    """Render into the empty `folder`, and push the project to `main` of `remote`."""
    clone = folder / "clone"
    git(folder, "clone", "--quiet", remote, str(clone))
    rendered = cookiecutter(
        str(TEMPLATE), no_input=True, accept_hooks=False, output_dir=str(folder / "rendered")
    )
    shutil.move(clone / ".git", rendered)
    git(Path(rendered), "checkout", "--quiet", "-B", "main")
    git(Path(rendered), "add", "--all")
    git(
        Path(rendered),
        *AUTHOR,
        *("commit", "--quiet", "--allow-empty", "--message", f"Render {version}"),
    )
    git(Path(rendered), "tag", version)
    git(Path(rendered), "push", "--quiet", "origin", "main", version)


def git(folder: Path, *command: str) -> None:
    """Run git in a folder; on failure, git prints the reason."""
    subprocess.run(["git", *command], cwd=folder, check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        push_example(os.environ["REMOTE"], sys.argv[1], Path(folder))

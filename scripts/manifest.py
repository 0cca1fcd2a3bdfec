"""Write the manifest that seals `onloop`, for `make manifest`; with `--check`, only compare it."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "{{cookiecutter.project_slug}}"

sys.dont_write_bytecode = True  # Nothing may be left in the folder that is rendered.
sys.path.insert(0, str(PROJECT))

from onloop import seal  # noqa: E402


def main() -> None:
    """Write the manifest, or exit with one sentence and what differs.

    Raises:
        SystemExit: with `--check`, if the manifest does not match the files.
    """
    path = PROJECT / "onloop" / seal.MANIFEST
    if sys.argv[1:] != ["--check"]:
        path.write_text(seal.manifest(), encoding="utf-8")
    elif path.read_text(encoding="utf-8") != seal.manifest():
        sys.exit("\n".join(["onloop/MANIFEST is stale: run make manifest.", *seal.differences()]))


if __name__ == "__main__":
    main()

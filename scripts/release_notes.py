"""Print the section of one release in CHANGELOG.md, for the release on GitHub."""

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).resolve().parent.parent / "CHANGELOG.md"


def release_notes(changelog: str, version: str) -> str:
    """Return the text below the heading of a version.

    Raises:
        LookupError: there is no dated heading of that version, or no text below it.
    """
    heading = rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d\n(.+?)(?=^## |\Z)"
    section = re.search(heading, changelog, re.MULTILINE | re.DOTALL)
    if section is None or not section[1].strip():
        raise LookupError(f"CHANGELOG.md has no dated section for {version}.")
    return section[1].strip()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Name one version, such as 1.0.0.")
    try:
        print(release_notes(CHANGELOG.read_text(encoding="utf-8"), sys.argv[1]))
    except LookupError as error:
        sys.exit(str(error))

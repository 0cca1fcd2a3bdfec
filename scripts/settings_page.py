"""Write the `docs/settings.md` of every project from its settings, for `make settings`."""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "{{cookiecutter.project_slug}}"

sys.dont_write_bytecode = True  # Nothing may be left in the folder that is rendered.
sys.path.insert(0, str(PROJECT))

from onloop.management.settings_page import settings_page  # noqa: E402


def main() -> None:
    """Write the page: Jinja in the settings stays Jinja in the page."""
    source = (PROJECT / "config" / "settings.py").read_text(encoding="utf-8")
    (PROJECT / "docs" / "settings.md").write_text(settings_page(source), encoding="utf-8")


if __name__ == "__main__":
    main()

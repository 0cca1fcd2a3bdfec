"""`manage.py document_settings`: generate `docs/settings.md` from `config/settings.py`."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from onloop.management.settings_page import settings_page


class Command(BaseCommand):
    """Write the page or, with `--check`, fail if it is not up to date."""

    help = "Generates docs/settings.md from config/settings.py and its comments."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add `--check`."""
        parser.add_argument(
            "--check", action="store_true", help="Write nothing; fail if the page is stale."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Write or check the page.

        Raises:
            CommandError: with `--check`, the page does not match the settings.
        """
        source = Path(settings.BASE_DIR, "config", "settings.py").read_text(encoding="utf-8")
        path = Path(settings.BASE_DIR, "docs", "settings.md")
        if not options["check"]:
            path.write_text(settings_page(source), encoding="utf-8")
        elif path.read_text(encoding="utf-8") != settings_page(source):
            raise CommandError("docs/settings.md is stale: run manage.py document_settings.")

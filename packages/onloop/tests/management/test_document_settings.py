"""`manage.py document_settings` makes a page of the settings and their comments."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


def test_page_has_sections_and_settings(project: Path) -> None:
    call_command("document_settings")

    page = (project / "docs" / "settings.md").read_text()
    common, basket = page.split("## Basket\n")
    assert "## The project\n\nWhat is common.\n\n" in common
    assert "Language" not in page
    assert "| `DEBUG` | `False` | `true` or `false` | Whether errors are shown. |" in common
    assert "| `BASKET_SIZE` | `10` | `1` to `100` | Items of one basket. |" in basket
    assert '| `WEAVE` | `"wood"` | `wood`, `wire` | What it is made of. |' in basket
    call_command("document_settings", "--check")


def test_stale_page_is_refused(project: Path) -> None:
    (project / "docs" / "settings.md").write_text("")

    with pytest.raises(CommandError, match=r"docs/settings\.md is stale"):
        call_command("document_settings", "--check")

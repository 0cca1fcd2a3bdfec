"""The documentation of the settings matches the settings."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command

PROJECT = Path(__file__).resolve().parent.parent
OTHERS = {"FORWARDED_ALLOW_IPS"}  # Read by uvicorn.


def test_settings_page_is_up_to_date() -> None:
    call_command("document_settings", "--check")


@pytest.mark.parametrize(
    "path",
    [".env.example", "deploy/kubernetes/settings.env", "deploy/kubernetes/secret.env.example"],
)
def test_example_sets_documented_settings_only(path: str) -> None:
    page = (PROJECT / "docs" / "settings.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE))

    named = set(re.findall(r"^#? ?([A-Z_]+)=", (PROJECT / path).read_text(), re.MULTILINE))
    assert named
    assert named - OTHERS <= documented


def test_links_lead_to_files() -> None:
    pages = [*PROJECT.glob("*.md"), *PROJECT.glob("docs/*.md")]
    links = {
        (page, link)
        for page in pages
        for link in re.findall(r"\]\(([\w./-]+\.md)", page.read_text())
    }

    assert links
    assert [link for page, link in links if not (page.parent / link).exists()] == []

"""The documents name things that exist."""

import json
import re

from scripts.pictures import alternative_texts, with_alternative_texts
from tests.template import FOLDER, TEMPLATE

README = (TEMPLATE / "README.md").read_text()
NUMBERS = json.loads((TEMPLATE / "docs" / "pictures.json").read_text())


def test_alternative_texts_have_the_numbers_of_the_pictures() -> None:
    texts = alternative_texts(NUMBERS)

    assert with_alternative_texts(README, texts) == README
    assert all(text in README for text in texts.values())
    drawn = (TEMPLATE / "docs" / "demo.svg").read_text()
    assert NUMBERS["demo"]["debug_message"] in re.sub(r"</text>\s*<text[^>]*>\s*", " ", drawn)


def test_links_resolve_to_files() -> None:
    for name in sorted(path.name for path in TEMPLATE.glob("*.md")):
        links = re.findall(r'(?:\]\(|src(?:set)?=")([^)"#:]+)[)"#]', (TEMPLATE / name).read_text())
        assert [link for link in links if not (TEMPLATE / link).exists()] == []


def test_named_make_targets_exist() -> None:
    makefiles = [(folder / "Makefile").read_text() for folder in (TEMPLATE, FOLDER)]
    targets = re.findall(r"^([a-z]+):", "\n".join(makefiles), re.MULTILINE)
    for name in ("README.md", "CONTRIBUTING.md", "AGENTS.md"):
        text = (TEMPLATE / name).read_text()
        named = re.findall(r"(?:`|^)make ([a-z]+)", text, re.MULTILINE)
        assert set(named) - set(targets) == set(), name

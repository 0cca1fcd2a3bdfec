"""The page about caching names tests that exist, for each section of RFC 9111 and RFC 5861."""

import re

from tests.template import FOLDER, TEMPLATE

PAGE = (FOLDER / "docs" / "caching.md").read_text()
TESTS = TEMPLATE / "packages" / "onloop" / "tests" / "http" / "cache"
# Those with requirements for caches.
RFC_9111 = """
    1.2.2 2 3 3.1 3.2 3.3 3.4 3.5 4 4.1 4.2 4.2.1 4.2.2 4.2.3 4.2.4 4.3.1 4.3.2 4.3.3 4.3.4 4.3.5
    4.4 5.1 5.2 5.2.1.1 5.2.1.4 5.2.1.5 5.2.1.6 5.2.1.7 5.2.2.1 5.2.2.2 5.2.2.3 5.2.2.4 5.2.2.5
    5.2.2.6 5.2.2.7 5.2.2.8 5.2.2.9 5.2.2.10 5.2.3 5.3 5.4 5.5 7.3
"""
RFC_5861 = "3 4"


def rows(title: str) -> list[list[str]]:
    """The cells of the table of a section of the page."""
    section = PAGE.partition(f"\n## {title}")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [line.strip("| ").split(" | ") for line in lines[2:]]


def test_each_row_names_tests_that_exist() -> None:
    written = "\n".join(path.read_text() for path in TESTS.glob("test_*.py"))
    existing = set(re.findall(r"^(?:async )?def (test_\w+)\(", written, re.MULTILINE))
    for _, _, tests in rows("RFC 9111") + rows("RFC 5861"):
        named = re.findall(r"`(\w+)`", tests)
        assert named
        assert set(named) <= existing, set(named) - existing


def test_each_section_has_a_row() -> None:
    for title, sections in (("RFC 9111", RFC_9111), ("RFC 5861", RFC_5861)):
        named = {
            number for section, _, _ in rows(title) for number in re.findall(r"\d[\d.]*\b", section)
        }
        assert set(sections.split()) <= named, set(sections.split()) - named

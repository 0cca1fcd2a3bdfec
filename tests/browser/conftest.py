"""A real browser."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.machine import skip_or_fail

NAMES = ("chromium", "chromium-browser", "google-chrome")


def program() -> str:
    """Return the path of this machine's Chromium.

    Without one, the test is skipped, unless REQUIRE_SERVICES is set.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        skip_or_fail(f"No browser: none of {', '.join(NAMES)} is installed.")
    return path


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """This machine's Chromium.

    It ends with the tests of this folder: while Playwright runs, asyncio.run() does not.
    """
    path = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Chromium without a window; those that the test opens are closed, or they keep working."""
    yield chromium
    for window in chromium.contexts:
        window.close()

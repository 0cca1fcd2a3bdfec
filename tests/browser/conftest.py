"""A real browser, and what it complains of."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.services import absent

NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The Chromium of this machine. Without one, tests are skipped, unless REQUIRE_SERVICES is set.

    It ends with the module: while Playwright runs, asyncio.run() does not.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        absent(f"No browser: none of {', '.join(NAMES)} is installed.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()

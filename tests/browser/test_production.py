"""The page with the settings of production, in a real browser."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.slow_upstream import slow_upstream
from tests.browser.visit import Visit, states
from tests.project.servers import production
from tests.template import python


@pytest.mark.parametrize("transport", ["SSE", "WebSocket"])
def test_page_works_with_immutable_static_files(
    browser: Browser, project: Path, tmp_path: Path, transport: str
) -> None:
    with (
        slow_upstream() as upstream,
        production(project, python(project), tmp_path, AGGREGATOR_UPSTREAM_URL=upstream.url) as url,
    ):
        visit = Visit(browser, url)
        page = visit.start(transport, 10)
        expect(states(page, "ok")).to_have_count(8)
        expect(page.get_by_role("status")).to_contain_text(re.compile(r"10 calls in \d"))

    files = {path.rpartition("/")[2]: policy for path, policy in visit.files}
    names = {re.sub(r"\.[0-9a-f]{12}\.", ".", name) for name in files}
    assert names == {
        "site.css",
        "board.css",
        "page.js",
        "board.js",
        "run.js",
        "transports.js",
    }
    assert not names & files.keys()
    assert set(files.values()) == {"max-age=315360000, public, immutable"}
    assert visit.complaints == []

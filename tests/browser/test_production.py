"""The page with the settings of production, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.slow_upstream import slow_upstream
from tests.browser.visit import Visit, states
from tests.project.servers import production
from tests.template import python


@pytest.fixture(scope="module")
def url(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("production")
    with (
        slow_upstream() as upstream,
        production(project, python(project), folder, AGGREGATOR_UPSTREAM_URL=upstream.url) as url,
    ):
        yield url


@pytest.mark.parametrize("transport", ["SSE", "WebSocket"])
def test_page_works_with_immutable_static_files(browser: Browser, url: str, transport: str) -> None:
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

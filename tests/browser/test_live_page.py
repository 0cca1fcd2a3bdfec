"""The page of a booted project, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.slow_upstream import SlowUpstream, slow_upstream
from tests.browser.visit import Visit, states
from tests.project.servers import booted
from tests.template import TEMPLATE, python

SCREENSHOTS = TEMPLATE / "build" / "screenshots"
DESKTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 900}, "device_scale_factor": 2}
PHONE: dict[str, Any] = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
LOOKS = {
    "desktop": DESKTOP,
    "dark": DESKTOP | {"color_scheme": "dark"},
    "phone": PHONE,
    "calm": DESKTOP | {"reduced_motion": "reduce"},
}


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[SlowUpstream]:
    with slow_upstream() as server:
        yield server


@pytest.fixture
def upstream(shared_upstream: SlowUpstream) -> SlowUpstream:
    """The upstream of all tests, which answers immediately at first."""
    shared_upstream.let_go.set()
    shared_upstream.pace = 0.0
    return shared_upstream


@contextmanager
def served(project: Path, upstream: SlowUpstream) -> Iterator[str]:
    """Serve the project with this upstream; yield its URL."""
    environment = {"AGGREGATOR_UPSTREAM_URL": upstream.url, "AGGREGATOR_CONCURRENCY": "8"}
    with booted(project, python(project), **environment) as url:
        yield url


@pytest.fixture(scope="module")
def shared_url(project: Path, shared_upstream: SlowUpstream) -> Iterator[str]:
    with served(project, shared_upstream) as url:
        yield url


@pytest.fixture
def url(shared_url: str, upstream: SlowUpstream) -> str:
    """The project's URL; its server, which all tests share, calls `upstream`."""
    return shared_url


@pytest.mark.parametrize("transport", ["SSE", "WebSocket", "JSON"])
def test_all_bars_finish_and_a_failed_call_is_shown_as_failed(
    browser: Browser, url: str, transport: str
) -> None:
    visit = Visit(browser, url, DESKTOP)
    page = visit.start(transport, 10)

    expect(states(page, "ok")).to_have_count(8)
    expect(states(page, "failed")).to_have_count(2)
    expect(states(page, "failed").first).to_contain_text("task 3")
    expect(states(page, "failed").first).to_contain_text(
        "failed: The server answered with status 503."
    )
    expect(page.get_by_label("Failures")).to_have_text(
        "2 \u00d7 The server answered with status 503."
    )
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"10 calls in \d"))
    expect(page.get_by_role("status")).to_contain_text("2 failed.")
    expect(page.get_by_role("progressbar", name="Finished")).to_have_attribute("value", "10")
    expect(page.get_by_role("button", name="Start")).to_be_enabled()
    page.screenshot(path=SCREENSHOTS / f"{transport}.png", full_page=True)
    assert visit.complaints == []


def test_calls_wait_run_and_end(browser: Browser, url: str, upstream: SlowUpstream) -> None:
    upstream.let_go.clear()
    visit = Visit(browser, url, DESKTOP)
    page = visit.start("SSE", 12)

    expect(states(page, "running")).to_have_count(8)
    expect(states(page, "waiting")).to_have_count(4)
    expect(page.get_by_role("status")).to_have_text("12 calls in progress.")
    upstream.let_go.set()
    expect(states(page, "ok")).to_have_count(9)
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"12 calls in \d"))
    assert visit.complaints == []


@pytest.mark.parametrize("transport", ["SSE", "WebSocket", "JSON"])
def test_run_is_stopped_and_another_one_started_by_keyboard(
    browser: Browser, url: str, upstream: SlowUpstream, transport: str
) -> None:
    upstream.let_go.clear()
    visit = Visit(browser, url)
    page = visit.start(transport, 5)
    page.get_by_role("button", name="Stop").press("Enter")

    expect(page.get_by_role("status")).to_have_text("Stopped. 0 of 5 calls had finished.")
    expect(states(page, "lost")).to_have_count(5)
    assert_no_bar(page)
    upstream.let_go.set()
    page.get_by_label("Calls", exact=True).fill("2")
    page.get_by_label("Calls", exact=True).press("Enter")
    expect(page.get_by_role("status")).to_contain_text(re.compile(r"2 calls in \d"))


def assert_no_bar(page: Page) -> None:
    """Assert that no bar is drawn: no call has ended, so no duration is known."""
    for bar in page.locator("#calls .bar").all():
        expect(bar).not_to_be_visible()
    for row in ("slowest", "total"):
        expect(page.locator(f"#comparison .{row} .time")).to_have_text("\u2013")
        expect(page.locator(f"#comparison .{row} .bar")).to_have_css("inline-size", "0px")


def test_page_states_the_slowest_call_and_no_sum(
    browser: Browser, url: str, upstream: SlowUpstream
) -> None:
    """Eight concurrent calls slow each other down: their sum is longer than one by one."""
    upstream.pace = 0.05
    page = Visit(browser, url, DESKTOP).start("SSE", 20)
    status = page.get_by_role("status")
    expect(status).to_contain_text(re.compile(r"20 calls in \d"))
    slowest = page.locator("#comparison .slowest .time").text_content()
    total = page.locator("#comparison .total .time").text_content()
    expect(status).to_have_text(f"20 calls in {total}. The slowest took {slowest}. 5 failed.")
    expect(page.get_by_text("One after the other")).to_have_count(0)


def test_number_of_calls_is_limited(browser: Browser, url: str) -> None:
    visit = Visit(browser, url)
    for number in (0, 1001):
        page = visit.start("SSE", number)
        expect(page.get_by_role("status")).to_have_text("Not started yet.")
    assert visit.complaints == []


@pytest.mark.parametrize(
    ("transport", "sentence"),
    [("SSE", "The connection was lost."), ("WebSocket", "The server is stopping.")],
)
def test_server_stop_is_shown(
    browser: Browser,
    project: Path,
    upstream: SlowUpstream,
    transport: str,
    sentence: str,
) -> None:
    upstream.let_go.clear()
    with served(project, upstream) as url:
        page = Visit(browser, url).start(transport, 5)
        expect(states(page, "running")).to_have_count(5)

    status = page.get_by_role("status")
    expect(status).to_have_text(f"{sentence} 0 of 5 calls had finished.")
    expect(states(page, "lost")).to_have_count(5)
    for other in ("JSON", "WebSocket"):
        page.get_by_label(other).check()
        page.get_by_role("button", name="Start").click()
        expect(status).to_have_text("The connection was lost. 0 of 5 calls had finished.")


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (1001, "The server is stopping."),
        (1012, "The server is stopping."),
        (1011, "The connection was lost."),
    ],
)
def test_close_code_of_a_socket_is_shown(
    browser: Browser, url: str, code: int, sentence: str
) -> None:
    visit = Visit(browser, url)
    visit.page.route_web_socket(
        "**/ws/aggregate/", lambda socket: socket.on_message(lambda _: socket.close(code=code))
    )
    status = visit.start("WebSocket", 5).get_by_role("status")
    expect(status).to_have_text(f"{sentence} 0 of 5 calls had finished.")


def test_run_is_followed_in_another_browser(
    browser: Browser, url: str, upstream: SlowUpstream
) -> None:
    upstream.let_go.clear()
    starting = Visit(browser, url, DESKTOP)
    page = starting.start("WebSocket", 10)
    expect(states(page, "running")).to_have_count(8)
    link = page.get_by_role("link", name=f"{url}/?run=")
    address = link.get_attribute("href")
    assert address

    following = Visit(browser, f"{url}/{address}", DESKTOP)
    other = following.page
    expect(other.get_by_role("status")).to_have_text("10 calls in progress, started elsewhere.")
    expect(states(other, "running")).to_have_count(8)
    upstream.let_go.set()
    for visited in (page, other):
        expect(states(visited, "ok")).to_have_count(8)
        expect(states(visited, "failed")).to_have_count(2)
        expect(visited.get_by_role("status")).to_contain_text(re.compile(r"10 calls in \d"))
    other.screenshot(path=SCREENSHOTS / "followed.png", full_page=True)

    late = Visit(browser, f"{url}/{address}")
    expect(states(late.page, "ok")).to_have_count(8)
    expect(late.page.get_by_role("status")).to_have_text(
        page.get_by_role("status").text_content() or ""
    )
    assert starting.complaints + following.complaints + late.complaints == []


def test_followers_see_the_stop(browser: Browser, url: str, upstream: SlowUpstream) -> None:
    upstream.let_go.clear()
    page = Visit(browser, url).start("WebSocket", 5)
    address = page.get_by_role("link", name="?run=").get_attribute("href")
    other = Visit(browser, f"{url}/{address}").page
    expect(states(other, "running")).to_have_count(5)
    page.get_by_role("button", name="Stop").click()

    expect(page.get_by_role("status")).to_have_text("Stopped. 0 of 5 calls had finished.")
    expect(other.get_by_role("status")).to_have_text(
        "The run was cancelled. 0 of 5 calls had finished."
    )
    expect(states(other, "lost")).to_have_count(5)


def test_unknown_run_is_shown(browser: Browser, url: str) -> None:
    visit = Visit(browser, f"{url}/?run=0123456789abcdef")
    expect(visit.page.get_by_role("status")).to_have_text(
        "There is no run '0123456789abcdef', or it ended long ago."
    )
    expect(visit.page.get_by_role("button", name="Start")).to_be_enabled()
    assert visit.complaints == []


@pytest.mark.parametrize("look", LOOKS)
def test_page_fits_every_viewport_and_theme(
    browser: Browser, url: str, upstream: SlowUpstream, look: str
) -> None:
    upstream.pace = 0.2
    visit = Visit(browser, url, LOOKS[look])
    page = visit.start("SSE", 16)

    expect(page.get_by_role("status")).to_contain_text("The slowest took ", timeout=30_000)
    page.screenshot(path=SCREENSHOTS / f"{look}.png", full_page=True)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= LOOKS[look]["viewport"]["width"]
    bar, track = (page.locator(f"#calls .{part}").first.bounding_box() for part in ("bar", "track"))
    assert bar
    assert track
    assert 0 < bar["width"] < track["width"]
    assert visit.complaints == []


def test_a_thousand_calls_are_drawn(browser: Browser, url: str) -> None:
    visit = Visit(browser, url, DESKTOP)
    page = visit.start("SSE", 1000)

    expect(page.get_by_role("status")).to_contain_text(
        re.compile(r"1000 calls in \d"), timeout=60_000
    )
    expect(states(page, "ok")).to_have_count(750)
    expect(states(page, "failed")).to_have_count(250)
    page.screenshot(path=SCREENSHOTS / "thousand.png")
    assert visit.complaints == []

"""The page in its own browser window."""

from typing import Any

from playwright.sync_api import Browser, Locator, Page, Request, Response


class Visit:
    """A page in its own browser window; a clean page has no `complaints`."""

    def __init__(self, browser: Browser, url: str, look: dict[str, Any] | None = None) -> None:
        self.page = browser.new_context(**(look or {})).new_page()
        self.complaints: list[str] = []
        self.files: list[tuple[str, str | None]] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("requestfailed", self.complain_of_failure)
        self.page.on("request", lambda request: self.complain_of_others(request.url, site(url)))
        self.page.on("response", self.note_file)
        self.page.goto(url)

    def note_file(self, response: Response) -> None:
        """Record the URL of a static file and its cache lifetime."""
        if "/static/" in response.url:
            self.files.append((response.url, response.header_value("cache-control")))

    def complain_of_failure(self, request: Request) -> None:
        # The page closes a stream itself once it has seen `done`.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"{request.failure} at {request.url}")

    def complain_of_others(self, requested: str, url: str) -> None:
        if not requested.startswith((url, "data:")):
            self.complaints.append(f"requested {requested}")

    def start(self, transport: str, calls: int) -> Page:
        self.page.get_by_label("Calls", exact=True).fill(str(calls))
        self.page.get_by_label(transport).check()
        self.page.get_by_role("button", name="Start").click()
        return self.page


def site(url: str) -> str:
    return "/".join(url.split("/")[:3])


def states(page: Page, state: str) -> Locator:
    return page.get_by_role("listitem").and_(page.locator(f"[data-state={state}]"))

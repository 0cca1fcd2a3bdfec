"""The page at `/`."""

import html
import re
from html.parser import HTMLParser

from django.conf import settings
from django.contrib.staticfiles import finders
from django.test import Client
from pytest_django import Settings


def test_page_shows_the_name_of_the_site(client: Client) -> None:
    response = client.get("/")

    assert response.status_code == 200
    page = html.unescape(response.content.decode())
    assert f"<h1>{settings.SITE_NAME}</h1>" in page


def test_page_links_to_the_endpoints(client: Client) -> None:
    page = client.get("/").content.decode()

    links = re.findall('<a href="([^"]+)"', page)
    assert [link for link in links if link != "/async/api_aggregated/"] == [
        "/async/api_stream/",
        "/sync/api/?task_id=1",
        "/accounts/",
        "/admin/",
        "/healthz",
        "/readyz",
    ]


def test_page_has_the_fan_out_of_the_settings(client: Client, settings: Settings) -> None:
    settings.AGGREGATOR_FAN_OUT = 37
    settings.AGGREGATOR_MAX_FAN_OUT = 50

    assert b'min="1" max="50" value="37"' in client.get("/").content


def test_page_escapes_the_name(client: Client, settings: Settings) -> None:
    settings.SITE_NAME = "<b>&"

    assert b"<h1>&lt;b&gt;&amp;</h1>" in client.get("/").content


class Elements(HTMLParser):
    """The start tags of a page and their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_page_complies_with_the_csp(client: Client) -> None:
    response = client.get("/")

    assert response.headers["Content-Security-Policy"].startswith("default-src 'self'")
    for tag, attributes in Elements(response.content.decode()).found:
        assert tag != "style"
        assert tag != "script" or attributes["src"]
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        for name in {"src", "href"} & attributes.keys():
            assert str(attributes[name]).startswith(("/", "data:,"))


def test_files_of_the_page_exist(client: Client) -> None:
    page = client.get("/").content.decode()

    files = re.findall('(?:src|href)="/static/([^"]+)"', page)
    assert files == ["site.css", "live/board.css", "live/page.js"]
    assert all(finders.find(file) for file in files)


def test_page_is_read_only(client: Client) -> None:
    assert client.post("/").status_code == 405

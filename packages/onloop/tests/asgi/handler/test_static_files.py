"""Static files through the handler: the same answers as of ServeStatic, with less work."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.middleware import import_middleware
from tests.asgi.handler.exchange import ask

MIDDLEWARE = "servestatic.middleware.ServeStaticMiddleware"


@pytest.fixture
def folder(settings: Settings, tmp_path: Path) -> Path:
    """A folder with static files, outside of the apps'."""
    (tmp_path / "site.css").write_text("body {}")
    (tmp_path / "index.html").write_text("<p>")
    settings.STATICFILES_DIRS = [tmp_path]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.MIDDLEWARE = [MIDDLEWARE, *settings.MIDDLEWARE]
    return tmp_path


@pytest.fixture
def development(folder: Path, settings: Settings) -> Path:
    """The folder, served as in development: each request looks for its file."""
    settings.DEBUG = True
    return folder


async def test_collected_files_are_served_under_both_names(
    folder: Path, settings: Settings
) -> None:
    settings.SERVESTATIC_USE_FINDERS = False
    settings.STORAGES = {"staticfiles": {"BACKEND": "onloop.static.StaticFilesStorage"}}
    call_command("collectstatic", verbosity=0, interactive=False)
    (named,) = (folder / "collected").glob("site.*.css")
    handler = EventLoopASGIHandler()

    for name in ("site.css", named.name, "site.css"):
        assert (await ask(handler, f"/static/{name}")).text == "body {}"
    headers = dict((await ask(handler, f"/static/{named.name}")).headers)
    assert "immutable" in headers["Cache-Control"]
    assert (await ask(handler, "/static/none.css")).status == 404


async def test_file_of_an_index_has_its_urls_at_the_start(folder: Path, settings: Settings) -> None:
    settings.SERVESTATIC_INDEX_FILE = "index.html"
    handler = EventLoopASGIHandler()

    assert (await ask(handler, "/static/")).text == "<p>"
    assert (await ask(handler, "/static/index.html")).status == 302


async def test_new_file_is_served_in_development(development: Path) -> None:
    handler = EventLoopASGIHandler()
    (development / "new.css").write_text("p {}")

    assert (await ask(handler, "/static/new.css")).text == "p {}"


@pytest.mark.usefixtures("development")
async def test_other_paths_make_no_hop_in_development(hops: list[str]) -> None:
    handler = EventLoopASGIHandler()
    hops.clear()

    assert (await ask(handler, "/async/plain/")).status == 200
    assert not hops


@pytest.mark.usefixtures("folder")
def test_no_file_is_prepared_at_the_start() -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse()

    middleware: Any = import_middleware(MIDDLEWARE)(view)
    assert middleware.files == {}

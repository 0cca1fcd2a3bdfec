"""Middleware of well-known packages on the project's handler: first, in the middle, and last.

This folder is copied into a rendered project, and its tests run there.
"""

import json
import re
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.contrib.auth import get_user_model
from django_structlog.signals import bind_extra_request_finished_metadata
from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.database import database_pools
from onloop.http import shared_http_client
from onloop.observe import observed
from onloop.testing import serve_app
from pytest_django import Settings

User = get_user_model()

PASSWORD = "correct horse battery staple"  # noqa: S105
POSITIONS = ["first", "middle", "last"]

type Client = httpx.Client


def allows_cors(client: Client) -> None:
    response = client.get("/healthz", headers={"Origin": "https://example.com"})
    assert response.headers["access-control-allow-origin"] == "https://example.com"


def shows_login_of_allauth(client: Client) -> None:
    response = client.get("/accounts/login/")
    assert response.status_code == 200
    assert "csrfmiddlewaretoken" in response.text


def shows_toolbar(client: Client) -> None:
    assert 'id="djDebug"' in client.get("/admin/login/").text


def knows_htmx(client: Client) -> None:
    assert client.get("/htmx/", headers={"HX-Request": "true"}).json() == {"htmx": True}


def locks_out(client: Client) -> None:
    statuses = [login(client, "wrong").status_code for _ in range(2)]
    assert statuses[-1] == 429


def tells_when_a_request_is_finished(client: Client) -> None:
    finished: list[object] = []

    def note(**details: object) -> None:
        finished.append(details["request"])

    bind_extra_request_finished_metadata.connect(note)
    try:
        client.get("/healthz")
        client.get("/sync/api/?task_id=7")
    finally:
        bind_extra_request_finished_metadata.disconnect(note)
    assert len(finished) == 2


def serves_files(client: Client) -> None:
    assert client.get("/robots.txt").text == "User-agent: *\n"


PACKAGES: dict[str, Callable[[Client], None]] = {
    "allauth.account.middleware.AccountMiddleware": shows_login_of_allauth,
    "axes.middleware.AxesMiddleware": locks_out,
    "corsheaders.middleware.CorsMiddleware": allows_cors,
    "debug_toolbar.middleware.DebugToolbarMiddleware": shows_toolbar,
    "django_htmx.middleware.HtmxMiddleware": knows_htmx,
    "django_structlog.middlewares.RequestMiddleware": tells_when_a_request_is_finished,
    "whitenoise.middleware.WhiteNoiseMiddleware": serves_files,
}


@pytest.fixture(params=PACKAGES)
def package(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=POSITIONS)
def client(
    request: pytest.FixtureRequest, package: str, settings: Settings, transactional_db: None
) -> Iterator[Client]:
    """A client of a server whose middleware has the package at one position."""
    User.objects.create_superuser("ada", "ada@example.com", PASSWORD)
    middleware = [name for name in settings.MIDDLEWARE if name not in PACKAGES]
    position = {"first": 0, "middle": len(middleware) // 2, "last": len(middleware)}[request.param]
    settings.MIDDLEWARE = [*middleware[:position], package, *middleware[position:]]
    application = ProtocolRouter(
        http=observed(EventLoopASGIHandler()),
        lifespan=Lifespan(database_pools, shared_http_client),
    )
    with serve_app(application) as url:
        settings.AGGREGATOR_UPSTREAM_URL = f"{url}/sync/api/"
        with httpx.Client(base_url=url, timeout=30) as client:
            yield client


def login(client: Client, password: str) -> httpx.Response:
    """Post the form of the admin's login."""
    form = client.get("/admin/login/").text
    token = re.search('name="csrfmiddlewaretoken" value="(.+?)"', form)
    assert token
    data = {"username": "ada", "password": password, "csrfmiddlewaretoken": token[1]}
    return client.post("/admin/login/?next=/admin/", data=data)


# WhiteNoise streams its files synchronously, which Django warns about under ASGI.
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
def test_project_answers_as_ever_and_the_package_acts(client: Client, package: str) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/sync/api/?task_id=7").json()["task_id"] == "7"
    assert client.get("/nowhere/").status_code == 404

    answer = client.get("/async/api_aggregated/").json()
    assert [one["task_id"] for one in answer["responses"]] == [str(n) for n in range(10)]

    events = client.get("/async/api_stream/").text.split("\n\n")
    assert events[0].startswith("event: start")
    done = next(event for event in events if event.startswith("event: done"))
    assert json.loads(done.partition("data: ")[2])["ok"] == 10

    welcome = login(client, PASSWORD)
    assert (welcome.status_code, welcome.headers["location"]) == (302, "/admin/")
    assert "ada" in client.get("/admin/").text.lower()
    client.cookies.clear()

    PACKAGES[package](client)

"""The admin, whose views are synchronous, through a real server."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core import checks

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.testing import TLS, serve_app

User = get_user_model()

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
async def browser() -> AsyncIterator[httpx.AsyncClient]:
    app = ProtocolRouter(http=EventLoopASGIHandler(), lifespan=Lifespan())
    with serve_app(app) as url:
        async with httpx.AsyncClient(base_url=url, follow_redirects=True, verify=TLS) as client:
            yield client


async def log_in(browser: httpx.AsyncClient, password: str) -> httpx.Response:
    page = await browser.get("/admin/")
    [token] = re.findall('name="csrfmiddlewaretoken" value="(.+?)"', page.text)
    form = {"username": "ada", "password": password, "csrfmiddlewaretoken": token}
    return await browser.post(page.url, data=form)


async def test_login_and_logout(browser: httpx.AsyncClient) -> None:
    await sync_to_async(User.objects.create_superuser)("ada", None, "lovelace")
    assert "Please enter the correct username" in (await log_in(browser, "wrong")).text

    page = await log_in(browser, "lovelace")
    assert "Site administration" in page.text
    assert (await browser.get("/async/user/whoami/")).text == "ada"

    [token] = re.findall('name="csrfmiddlewaretoken" value="(.+?)"', page.text)
    change = await browser.post(
        "/admin/auth/group/add/", data={"name": "poets", "csrfmiddlewaretoken": token}
    )
    assert "was added successfully" in change.text  # A message, shown after a redirect.

    await browser.post("/admin/logout/", data={"csrfmiddlewaretoken": token})
    assert (await browser.get("/async/user/whoami/")).text == "AnonymousUser"


def test_system_checks_know_the_middleware() -> None:
    """The checks read the names in settings.MIDDLEWARE, which are Django's own."""
    issues = {issue.id for issue in checks.run_checks(include_deployment_checks=True)}
    assert not issues & {"security.W001", "security.W002", "security.W003", "admin.E408"}

"""The login of the admin."""

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from django.test import AsyncClient
from django.urls import resolve, reverse
from pytest_django import Settings

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = "/admin/login/"


@pytest.fixture(autouse=True)
def _two_attempts(settings: Settings) -> None:
    settings.LOGIN_RATE_LIMIT = (2, 60)


async def test_attempts_beyond_the_limit_are_refused(async_client: AsyncClient) -> None:
    await sync_to_async(User.objects.create_superuser)("ada", None, "lovelace")

    answers = [
        await async_client.post(LOGIN, {"username": "ada", "password": password})
        for password in ("wrong", "lovelace", "lovelace")
    ]

    assert [answer.status_code for answer in answers] == [200, 302, 429]
    assert 0 < int(answers[-1]["Retry-After"]) <= 30


async def test_form_is_shown_without_limit(async_client: AsyncClient) -> None:
    pages = [await async_client.get(LOGIN) for _ in range(3)]

    assert [page.status_code for page in pages] == [200, 200, 200]
    assert b'name="password"' in pages[-1].content


def test_login_is_the_one_that_the_admin_links_to() -> None:
    view = resolve(reverse("admin:login")).func

    assert view.__module__ == "config.admin"
    # Where an owner adds Django's LoginRequiredMiddleware, the form stays open.
    assert not getattr(view, "login_required", True)

"""Logging in and out, and the account page."""

import pytest
from django.test import Client
from django.urls import resolve, reverse
from pytest_django import Settings

from accounts.models import User
from accounts.views import admin_login, login
from tests.accounts.conftest import PASSWORD

ACCOUNT = "/accounts/"
LOGIN = "/accounts/login/"
ADMIN_LOGIN = "/admin/login/"
CHANGE_PASSWORD = "/accounts/password/"
NEW = "a different horse and staple"


def log_in(client: Client, password: str = PASSWORD, url: str = LOGIN) -> int:
    return client.post(url, {"username": "ada", "password": password}).status_code


def change_password(client: Client, old: str, new: str) -> str:
    form = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post(CHANGE_PASSWORD, form, follow=True).text


def test_login_redirects_to_the_account(client: Client, ada: User) -> None:
    response = client.post(LOGIN, {"username": "ada", "password": PASSWORD}, follow=True)

    assert response.redirect_chain == [(ACCOUNT, 302)]
    assert "<h1>ada</h1>" in response.text


def test_login_returns_to_the_page_that_required_it(client: Client, ada: User) -> None:
    form_url = client.get(ACCOUNT).headers["Location"]
    form = client.get(form_url).text
    credentials = {"username": "ada", "password": PASSWORD}

    response = client.post(LOGIN, credentials | {"next": ACCOUNT})

    assert form_url == f"{LOGIN}?next={ACCOUNT}"
    assert f'name="next" value="{ACCOUNT}"' in form
    assert response.headers["Location"] == ACCOUNT


def test_wrong_password_shows_the_form_again(client: Client, ada: User) -> None:
    response = client.post(LOGIN, {"username": "ada", "password": "wrong"})

    assert response.status_code == 200
    assert "Please enter a correct username and password." in response.text
    assert "_auth_user_id" not in client.session


def test_logout_ends_the_session(client: Client, ada: User) -> None:
    client.force_login(ada)

    assert client.post("/accounts/logout/").headers["Location"] == LOGIN
    assert client.get(ACCOUNT).status_code == 302


def test_logout_requires_post(client: Client, ada: User) -> None:
    assert client.get("/accounts/logout/").status_code == 405


def test_changed_password_logs_in(client: Client, ada: User) -> None:
    client.force_login(ada)

    page = change_password(client, PASSWORD, NEW)

    assert '<p class="notice" role="status">Your password was changed.</p>' in page
    assert client.get(ACCOUNT).status_code == 200
    assert [log_in(Client(), password) for password in (PASSWORD, NEW)] == [200, 302]


def test_common_password_is_refused(client: Client, ada: User) -> None:
    client.force_login(ada)

    assert "This password is too common." in change_password(client, PASSWORD, "password")
    ada.refresh_from_db()
    assert ada.check_password(PASSWORD)


def test_account_links_staff_to_the_admin(client: Client, ada: User) -> None:
    client.force_login(ada)
    assert "/admin/" not in client.get(ACCOUNT).text

    ada.is_staff = True
    ada.save()
    assert 'href="/admin/"' in client.get(ACCOUNT).text


@pytest.mark.parametrize("url", [LOGIN, CHANGE_PASSWORD, ACCOUNT])
def test_pages_comply_with_the_csp(client: Client, ada: User, url: str) -> None:
    client.force_login(ada)

    response = client.get(url)

    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    assert not [part for part in ("<script", "<style", " style=", " on") if part in response.text]


@pytest.mark.parametrize("url", [LOGIN, ADMIN_LOGIN])
def test_attempts_beyond_the_limit_get_429(
    client: Client, ada: User, settings: Settings, url: str
) -> None:
    settings.LOGIN_RATE_LIMIT = (2, 60)

    answers = [log_in(client, "wrong", url) for _ in range(3)]

    assert answers == [200, 200, 429]
    assert log_in(client, PASSWORD, url) == 429
    assert client.get(url).status_code == 200


def test_login_pages_share_one_limit(client: Client, ada: User, settings: Settings) -> None:
    settings.LOGIN_RATE_LIMIT = (1, 60)

    assert [log_in(client, "wrong", url) for url in (LOGIN, ADMIN_LOGIN)] == [200, 429]


@pytest.mark.parametrize(("name", "view"), [("login", login), ("admin:login", admin_login)])
def test_login_page_is_public_under_login_required_middleware(name: str, view: object) -> None:
    assert resolve(reverse(name)).func is view
    assert getattr(view, "login_required", True) is False


def test_staff_manage_users_in_the_admin(admin_client: Client, ada: User) -> None:
    page = admin_client.get(reverse("admin:accounts_user_changelist"))

    assert "ada" in page.text

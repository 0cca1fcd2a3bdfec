"""Logging in, changing the password and logging out, in a real browser without JavaScript."""

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.browser.visit import Visit
from tests.project.servers import production
from tests.template import python, run

OLD, NEW = "correct horse battery staple", "a different horse and staple"


def test_account_works_without_javascript(browser: Browser, project: Path, tmp_path: Path) -> None:
    variables = {
        "SECRET_KEY": "p" * 50,
        "ALLOWED_HOSTS": "127.0.0.1",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "DJANGO_SUPERUSER_PASSWORD": OLD,
    }
    manage = [str(python(project)), "manage.py"]
    create = ["createsuperuser", "--no-input", "--username", "ada", "--email", "ada@example.com"]
    run(project, *manage, "migrate", **variables)
    run(project, *manage, *create, **variables)

    with production(project, python(project), tmp_path) as url:
        visit = Visit(browser, f"{url}/accounts/", {"java_script_enabled": False})
        page = visit.page
        for password in ("wrong", OLD):
            page.get_by_label("Username").fill("ada")
            page.get_by_label("Password").fill(password)
            page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="ada")).to_be_visible()
        expect(page.get_by_role("link", name="Administration")).to_be_visible()

        page.get_by_role("link", name="Change password").click()
        page.get_by_label("Old password").fill(OLD)
        page.get_by_label("New password:", exact=True).fill(NEW)
        page.get_by_label("New password confirmation").fill(NEW)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_role("status")).to_have_text("Your password was changed.")

        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()

    assert visit.complaints == []

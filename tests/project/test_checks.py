"""The rendered project passes its own checks and tests."""

import os
import re
from pathlib import Path

import pytest
from pytest_cookies.plugin import Cookies

from hooks.pre_gen_project import DEPENDENCIES, SLUG
from tests.template import TEMPLATE, python, run

POETRY = os.environ.get("POETRY", "poetry")


def test_own_checks_pass(project: Path) -> None:
    run(project, "make", "check", MYPY_CACHE_DIR=str(TEMPLATE / "build" / "mypy-project"))


def test_own_tests_pass(project: Path) -> None:
    output = run(project, "make", "test")

    assert re.search(r"=+ \d+ passed in ", output)
    assert "Required test coverage of 95% reached" in output


def test_own_tests_pass_for_other_answers(project: Path, cookies: Cookies) -> None:
    other = cookies.bake(
        extra_context={
            "project_name": 'Zoë\'s "Café" <東京>',
            "project_slug": "cafe",
            "fan_out": "3",
            "upstream_url": "https://example.com/api/?key=1",
        }
    ).project_path
    affected = ["tests/config", "tests/aggregator/test_views.py"]

    run(other, str(python(project)), "-m", "pytest", *affected)


def test_no_slug_shadows_what_is_installed(project: Path) -> None:
    script = "from importlib.metadata import packages_distributions as p; print(*p())"
    installed = run(project, str(python(project)), "-c", script).split()

    possible_slugs = {name for name in installed if SLUG.fullmatch(name)}
    assert "django" in possible_slugs
    assert possible_slugs - DEPENDENCIES == set()


@pytest.mark.parametrize("license_", ["MIT", "Proprietary"])
def test_lock_is_valid_for_other_answers(cookies: Cookies, license_: str) -> None:
    other = cookies.bake(
        extra_context={
            "project_name": '東京 "Café"',
            "project_slug": "tokyo",
            "author_name": "Zoë O'Brien \\o/",
            "license": license_,
        }
    ).project_path

    run(other, POETRY, "check", "--lock", "--strict")

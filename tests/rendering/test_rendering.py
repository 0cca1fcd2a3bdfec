"""Projects rendered from good answers."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cookiecutter.environment import StrictEnvironment
from cookiecutter.prompt import render_variable
from hypothesis import given
from hypothesis import strategies as st
from pytest_cookies.plugin import Cookies

from hooks.pre_gen_project import DEPENDENCIES, PROJECT_PACKAGES, validate_slug
from tests.template import ANSWERS, FOLDER, TEMPLATE, render

FILES_WITH_JINJA = {
    "Dockerfile",
    "LICENSE",
    "README.md",
    "config/settings.py",
    "deploy/kubernetes/kustomization.yaml",
    "docs/running.md",
    "docs/settings.md",
    "pyproject.toml",
}
# Their contents belong to Django or GitHub, and are copied unchanged.
COPIED = {
    ".github/workflows/ci.yml",
    "accounts/templates/accounts/account.html",
    "accounts/templates/accounts/change_password.html",
    "accounts/templates/accounts/login.html",
    "live/templates/live/page.html",
    "templates/base.html",
    "tests/live/test_run_stream.py",
}


def files(project: Path) -> list[Path]:
    return [path for path in sorted(project.rglob("*")) if path.is_file()]


def test_defaults_render(cookies: Cookies) -> None:
    result = cookies.bake()

    assert result.exit_code == 0
    assert result.exception is None
    assert result.project_path.name == "async_service"


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Async Service", "async_service"),
        ("Django", "django_service"),
        ("9 Lives", "project_9_lives_service"),
        ("x" * 80, "x" * 33 + "_service"),
        ("!!!", "async_service"),
        ("東京", "dong_jing_service"),
    ],
)
def test_slug_comes_from_the_name(name: str, slug: str) -> None:
    assert derived_slug(name) == slug


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_name_gives_a_slug_that_is_accepted(name: str) -> None:
    validate_slug("project_slug", derived_slug(name))


def test_no_derived_slug_is_taken() -> None:
    taken = sys.stdlib_module_names | DEPENDENCIES | PROJECT_PACKAGES

    assert not [name for name in taken if name.endswith("_service")]


def test_slug_of_every_package_of_the_project_is_taken() -> None:
    packages = {module.parent.name for module in FOLDER.glob("*/__init__.py")}

    assert packages - PROJECT_PACKAGES == set()


def derived_slug(name: str) -> str:
    """Return the slug that Cookiecutter proposes for a project of this name."""
    slug: str = render_variable(
        StrictEnvironment(), ANSWERS["project_slug"], {"project_name": name}
    )
    return slug


def test_no_jinja_is_left(cookies: Cookies) -> None:
    project = cookies.bake().project_path

    left = [
        path.relative_to(project).as_posix()
        for path in files(project)
        if path.relative_to(project).as_posix() not in COPIED
        and re.search(r"\{\{|\{%|cookiecutter\.", path.read_text())
    ]
    assert left == []


def test_jinja_is_only_where_a_value_is_inserted() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=FOLDER, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    with_jinja = {
        name
        for name in tracked
        if re.search(r"\{\{ ?cookiecutter|\{%-? ", (FOLDER / name).read_text())
    }

    assert with_jinja - COPIED == FILES_WITH_JINJA


def test_license_follows_the_prompt(cookies: Cookies) -> None:
    texts = {
        "MIT": "MIT License",
        "BSD-3-Clause": "BSD 3-Clause License",
        "Apache-2.0": "Apache License",
        "Proprietary": "All rights reserved",
    }
    for choice, text in texts.items():
        project = cookies.bake(extra_context={"license": choice}).project_path
        assert text in (project / "LICENSE").read_text()
        assert "Ada Lovelace" in (project / "LICENSE").read_text()
        metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
        assert metadata["license"] in {choice, f"LicenseRef-{choice}"}


NAMES = [
    'Zoë\'s "Café"',
    "back\\slash \\n",
    "{braces} %}",
    "東京 🚀",
    "*stars* _and_ `ticks` <b>&amp; #1 [x](y)",
]


@pytest.mark.parametrize("name", NAMES)
def test_text_survives(cookies: Cookies, name: str) -> None:
    result = cookies.bake(
        extra_context={
            "project_name": name,
            "project_slug": "shop",
            "description": name,
            "author_name": name,
        }
    )

    project = result.project_path
    metadata = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    assert metadata["description"] == name
    assert metadata["authors"] == [{"name": name, "email": "ada@example.com"}]
    assert assigned(project / "config" / "settings.py", "SITE_NAME") == name
    heading, _, emphasis, *_ = (project / "README.md").read_text().splitlines()
    assert unescaped(heading.removeprefix("# ")) == name
    assert unescaped(emphasis[1:-1]) == name


def unescaped(markdown: str) -> str:
    """Return what CommonMark displays for text with all special characters escaped.

    https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_\[\]<>&#~|]", markdown)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def assigned(module: Path, name: str) -> object:
    """Return the literal that a module assigns to a name."""
    for node in ast.parse(module.read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name:
            return ast.literal_eval(node.value)
    raise AssertionError(name)


def test_project_renders_without_hooks(tmp_path: Path) -> None:
    rendering = render(tmp_path, "--accept-hooks", "no")

    assert rendering.status == 0
    assert not (rendering.project / ".env").exists()
    assert (rendering.project / ".env.example").exists()


def test_rendering_again_keeps_the_secret(tmp_path: Path) -> None:
    env = render(tmp_path).project / ".env"
    before = env.read_text()

    again = render(tmp_path, "--overwrite-if-exists", fan_out="3")

    assert again.status == 0
    assert env.read_text() == before
    assert '"AGGREGATOR_FAN_OUT", 3,' in (again.project / "config" / "settings.py").read_text()


def test_every_prompt_has_a_question() -> None:
    prompts = json.loads((TEMPLATE / "cookiecutter.json").read_text())
    names = {name for name in prompts if not name.startswith("_")}

    assert set(prompts["__prompts__"]) == names

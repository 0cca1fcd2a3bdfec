"""Bad answers end the rendering with one sentence and leave nothing behind."""

import ast
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_cookies.plugin import Cookies

from tests.template import render


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        ("project_slug", "Bad Slug"),
        ("project_name", ""),
        ("project_slug", "a/b"),
        ("project_slug", "../escaped"),
        ("fan_out", "many"),
        ("upstream_url", "http://ada:secret@example.com/"),
        ("author_email", "nobody"),
        ("description", ""),
        ("author_name", "two\nlines"),
    ],
)
def test_bad_answer_is_refused(tmp_path: Path, prompt: str, answer: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()

    rendering = render(folder, **{prompt: answer})

    assert rendering.status == 1
    assert f"{prompt} is '" in rendering.output
    assert ", but it must be " in rendering.output
    assert [path.name for path in tmp_path.rglob("*")] == ["out"]


def test_path_as_slug_ends_with_the_sentence(tmp_path: Path) -> None:
    last = render(tmp_path, project_slug="a/b").output.splitlines()[-1]

    assert "project_slug is 'a/b', but it must be the name of a folder: " in last


def test_empty_slug_is_refused_by_cookiecutter(tmp_path: Path) -> None:
    rendering = render(tmp_path, project_slug="")

    assert rendering.status == 1
    assert rendering.output.startswith("Error: ")
    assert list(tmp_path.iterdir()) == []


# Cookiecutter renders answers that look like Jinja, and folder names cannot contain these.
PLAIN = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60
).filter(lambda text: not any(mark in text for mark in ("{{", "{%", "{#")))
FREE_TEXT = [
    "project_name",
    "description",
    "author_name",
    "author_email",
    "fan_out",
    "upstream_url",
]
FOLDER_NAME = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters='<>:"/\\|?*.{'),
    min_size=1,
    max_size=60,
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.dictionaries(st.sampled_from(FREE_TEXT), PLAIN, max_size=2),
    st.dictionaries(st.just("project_slug"), FOLDER_NAME, max_size=1),
)
def test_any_answers_render_a_sound_project_or_leave_nothing(
    answers: dict[str, str], slug: dict[str, str]
) -> None:
    with TemporaryDirectory() as name:
        rendering = render(Path(name), **answers, **slug)

        if rendering.status == 0:
            check_soundness(rendering.project)
        else:
            assert rendering.status == 1
            assert "Traceback" not in rendering.output.partition("Stopping generation")[0]
            assert ", but it must be " in rendering.output
            assert list(rendering.folder.iterdir()) == []


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=["C", "Z"], include_characters="\"'\\{}<>&`*_#"),
            min_size=1,
            max_size=40,
        ).filter(lambda text: not any(mark in text for mark in ("{{", "{%", "{#"))),
        min_size=3,
        max_size=3,
    )
)
def test_any_printable_names_render_a_sound_project(cookies: Cookies, names: list[str]) -> None:
    project_name, description, author_name = names
    project = cookies.bake(
        extra_context={
            "project_slug": "shop",
            "project_name": project_name,
            "description": description,
            "author_name": author_name,
        }
    ).project_path

    metadata = check_soundness(project)
    assert metadata["description"] == description
    assert metadata["authors"] == [{"name": author_name, "email": "ada@example.com"}]


def check_soundness(project: Path) -> dict[str, object]:
    """Compile every rendered Python file, parse the TOML, and return the project's metadata."""
    for path in project.glob("[!o]*/*.py"):  # Not onloop, which is copied.
        ast.parse(path.read_text(encoding="utf-8"))
    metadata: dict[str, object] = tomllib.loads(
        (project / "pyproject.toml").read_text(encoding="utf-8")
    )["project"]
    return metadata

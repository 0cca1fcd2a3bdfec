"""copier asks the same questions and renders the same project as Cookiecutter."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from scripts.copier_yml import COPIER_YML, copier_yml
from tests.template import ENVIRONMENT, TEMPLATE, Rendering, files_of, render


def copy(project: Path, *options: str, **answers: str) -> Rendering:
    """Run `copier copy` on this template, as a separate command."""
    command = [sys.executable, "-m", "copier", "copy", "--trust", "--vcs-ref=HEAD", "--defaults"]
    data = [f"--data={prompt}={answer}" for prompt, answer in answers.items()]
    run = subprocess.run(
        [*command, *options, *data, str(TEMPLATE), str(project)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    return Rendering(run.returncode, run.stdout + run.stderr, project.parent)


def without_secret(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files, with the secret key in `.env` replaced by a constant."""
    return files | {".env": re.sub(rb"(?m)^SECRET_KEY=.+$", b"SECRET_KEY=", files[".env"])}


def test_copier_yml_is_up_to_date() -> None:
    assert COPIER_YML.read_text(encoding="utf-8") == copier_yml(), "Run `make copier`."


def test_copier_renders_the_same_project(tmp_path: Path) -> None:
    answers = {"project_name": 'Zoë\'s "Café" <東京> \\o/', "fan_out": "3", "license": "Apache-2.0"}
    copied = copy(tmp_path / "copier" / "any_name", **answers)
    rendered = render(tmp_path / "cookiecutter", **answers)

    assert copied.status == 0, copied.output
    assert copied.output.count("Your project is ready.") == 1
    assert f"Start it with: cd {copied.project} && make run\n" in copied.output
    files = without_secret(files_of(copied.project))
    state = files.pop(".copier-answers.yml").decode()
    assert "project_slug: zoe_s_cafe_dong_jing_o_service\n" in state
    assert rendered.project.name == "zoe_s_cafe_dong_jing_o_service"
    expected = without_secret(files_of(rendered.project))
    expected.pop(".cruft.json")
    assert files == expected


def test_jinja_in_an_answer_is_text(tmp_path: Path) -> None:
    text = '{{ 1 + 1 }} {% 🚀 "quoted" \\n'

    copied = copy(tmp_path / "project", description=text)

    assert copied.status == 0, copied.output
    pyproject = (copied.project / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(pyproject)["project"]["description"] == text


def test_copier_leaves_nothing_after_a_bad_answer(tmp_path: Path) -> None:
    refused = copy(tmp_path / "project", fan_out="many")

    assert refused.status != 0
    assert "fan_out is 'many', but it must be a whole number from 1 to 1000.\n" in refused.output
    assert "Traceback" not in refused.output
    assert not (tmp_path / "project").exists()


def test_copier_overwrites_only_with_the_flag(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Mine.")

    refused = copy(tmp_path)

    assert refused.status != 0
    assert "README.md would be overwritten: " in refused.output
    assert (tmp_path / "README.md").read_text() == "Mine."
    assert copy(tmp_path, "--overwrite").status == 0
    assert (tmp_path / "README.md").read_text() != "Mine."

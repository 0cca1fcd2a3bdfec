"""The hook that runs after the files are rendered."""

import json
import sys
from pathlib import Path

import pytest

from hooks import post_gen_project as hook
from tests.template import FOLDER, run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    example = (FOLDER / ".env.example").read_text()
    (tmp_path / ".env.example").write_text(example)
    return tmp_path


def secret(project: Path) -> str:
    (line,) = [
        line
        for line in (project / ".env").read_text().splitlines()
        if line.startswith("SECRET_KEY=")
    ]
    return line.removeprefix("SECRET_KEY=")


def test_env_gets_its_own_secret(project: Path) -> None:
    hook.write_env(project)

    assert len(secret(project)) >= 50
    assert secret(project) != "change-me"
    example = (project / ".env.example").read_text().splitlines()
    assert len((project / ".env").read_text().splitlines()) == len(example)


def test_secrets_differ(project: Path) -> None:
    hook.write_env(project)
    first = secret(project)
    (project / ".env").unlink()
    hook.write_env(project)

    assert secret(project) != first


def test_existing_env_is_kept(project: Path) -> None:
    (project / ".env").write_text("SECRET_KEY=mine\n")

    hook.write_env(project)

    assert secret(project) == "mine"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_env_is_readable_only_by_its_owner(project: Path) -> None:
    hook.write_env(project)

    assert (project / ".env").stat().st_mode & 0o077 == 0


def test_template_and_commit_are_recorded_for_cruft(project: Path, tmp_path: Path) -> None:
    template = tmp_path / "template"
    template.mkdir()
    run(template, "git", "init", "--quiet")
    run(template, "git", "-c", "user.name=A", "-c", "user.email=a@b", "commit", "--quiet",
        "--allow-empty", "--message", "First")  # fmt: skip
    commit = run(template, "git", "rev-parse", "HEAD").strip()
    answers = {"project_slug": "shop", "__dashed_slug": "shop", "_repo_dir": str(template)}

    hook.record_template(project, answers)

    record = json.loads((project / ".cruft.json").read_text())
    assert (record["template"], record["commit"]) == (str(template), commit)
    assert record["context"] == {"cookiecutter": {"project_slug": "shop"}}

    run(template, "git", "remote", "add", "origin", "https://example.com/template")
    hook.record_template(project, answers)
    record = json.loads((project / ".cruft.json").read_text())
    assert record["template"] == "https://example.com/template"


@pytest.mark.parametrize("answers", [{}, {"_repo_dir": "."}], ids=["cruft", "no repository"])
def test_no_commit_is_recorded_where_none_is_known(
    project: Path, monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]
) -> None:
    monkeypatch.chdir(project)

    hook.record_template(project, answers)

    assert not (project / ".cruft.json").exists()


def test_next_command_is_printed(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    monkeypatch.setattr(hook, "ANSWERS", json.dumps({"project_slug": "shop"}))

    hook.main()

    assert capsys.readouterr().out == "Your project is ready. Start it with: cd shop && make run\n"

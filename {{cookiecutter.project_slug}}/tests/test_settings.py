"""Tests use what they create, and nothing of the developer's."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def test_databases_of_the_shell_are_not_used(tmp_path: Path) -> None:
    developers = tmp_path / "developers.sqlite3"
    (tmp_path / ".env").write_text(f"DATABASE_URL=sqlite:///{developers}\n")
    environment = os.environ | {
        "DATABASE_URL": f"sqlite:///{developers}",
        "REDIS_URL": "redis://developers.example/0",
        "ENV_FILE": str(tmp_path / ".env"),
    }
    del environment["PYTEST_CURRENT_TEST"]
    script = (
        "import tests.settings as settings;"
        "print(settings.DATABASES['default']['NAME'], repr(settings.REDIS_URL))"
    )

    run = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT, env=environment, capture_output=True, text=True
    )

    assert run.stdout == f"{PROJECT / 'test.sqlite3'} ''\n"

"""Prepare the rendered project for its first start.

1. Write `.env` from `.env.example` with its own secret key, unless `.env` already exists.
2. Write `.cruft.json`, which names the template and its commit, unless cruft or copier does so.
3. Print the next command.
"""

import json
import secrets
import shutil
import subprocess
from pathlib import Path

# Jinja's `tojson` writes ASCII and escapes the single quote, so no answer can end this literal.
ANSWERS = r"""
{{ cookiecutter | tojson }}
""".strip()

EXAMPLE = "change-me"


def write_env(project: Path) -> None:
    """Write `project/.env` from `project/.env.example`, with a secret key of 50 random bytes.

    An existing `.env` is left unchanged, so rendering over a project keeps its secret.
    """
    example = (project / ".env.example").read_text(encoding="utf-8")
    env = example.replace(EXAMPLE, secrets.token_urlsafe(50))
    try:
        with (project / ".env").open("x", encoding="utf-8") as file:
            file.write(env)
    except FileExistsError:
        return
    (project / ".env").chmod(0o600)


def record_template(project: Path, answers: dict[str, str]) -> None:
    """Write `.cruft.json`, so that `cruft update` and `make eject` find the template's commit.

    Nothing is written when cruft renders, because it does not pass the template's folder, or if
    that folder is not a git repository, such as an unpacked archive.
    """
    template = answers.get("_repo_dir")
    if not template or not (Path(template) / ".git").exists() or not shutil.which("git"):
        return
    record = {
        "template": git(template, "remote", "get-url", "origin") or str(Path(template).resolve()),
        "commit": git(template, "rev-parse", "HEAD"),
        "checkout": answers.get("_checkout"),
        "context": {
            "cookiecutter": {
                name: answer for name, answer in answers.items() if not name.startswith("_")
            }
        },
        "directory": None,
    }
    text = json.dumps(record, indent=2) + "\n"
    (project / ".cruft.json").write_text(text, encoding="utf-8")


def git(repository: str, *command: str) -> str:
    """Return the output of a git command, or an empty string if it fails."""
    done = subprocess.run(
        ["git", "-C", repository, *command], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def main() -> None:
    """Finish the project in the current folder, where Cookiecutter runs its hooks."""
    answers = json.loads(ANSWERS)
    slug = answers["project_slug"]
    write_env(Path.cwd())
    record_template(Path.cwd(), answers)
    print(f"Your project is ready. Start it with: cd {slug} && make run")


if __name__ == "__main__":
    main()

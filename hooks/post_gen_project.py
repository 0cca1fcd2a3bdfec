"""Make the rendered project ready for its first start.

1. Write `.env` from `.env.example` with a secret key of its own, unless there is a `.env` already.
2. Print the next command.
"""

import json
import secrets
from pathlib import Path

# Jinja's `tojson` writes ASCII and escapes the single quote, so no answer can end this literal.
ANSWERS = r"""
{{ cookiecutter | tojson }}
""".strip()

EXAMPLE = "change-me"


def write_env(project: Path) -> None:
    """Write `project/.env` from `project/.env.example`, with a secret key of 50 random bytes.

    An existing `.env` is left as it is, so that rendering over a project keeps its secret.
    """
    example = (project / ".env.example").read_text(encoding="utf-8")
    env = example.replace(EXAMPLE, secrets.token_urlsafe(50))
    try:
        with (project / ".env").open("x", encoding="utf-8") as file:
            file.write(env)
    except FileExistsError:
        return
    (project / ".env").chmod(0o600)


def main() -> None:
    """Finish the project in the current folder, where Cookiecutter runs its hooks."""
    slug = json.loads(ANSWERS)["project_slug"]
    write_env(Path.cwd())
    print(f"Your project is ready. Start it with: cd {slug} && make run")


if __name__ == "__main__":
    main()

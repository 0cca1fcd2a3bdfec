"""Write `copier.yml`, the same prompts for copier, from `cookiecutter.json`.

copier asks the questions and records the answers; Cookiecutter renders: see copier_render.py.
"""

import json
from pathlib import Path
from typing import Any

import yaml

TEMPLATE = Path(__file__).resolve().parent.parent
COPIER_YML = TEMPLATE / "copier.yml"
HEADER = "# Written by scripts/copier_yml.py from cookiecutter.json: see `make copier`.\n"


def copier_yml() -> str:
    """Return the text of `copier.yml`."""
    context = json.loads((TEMPLATE / "cookiecutter.json").read_text(encoding="utf-8"))
    questions = {
        name: question(default, context["__prompts__"][name])
        for name, default in context.items()
        if not name.startswith("_")
    }
    answers = ", ".join(f"'{name}': {name}" for name in questions)
    settings = {
        "_min_copier_version": "9.5.0",
        "_subdirectory": "copier",
        "_message_after_copy": (
            "Your project is ready. Start it with: cd {{ _copier_conf.dst_path }} && make run"
        ),
        "_jinja_extensions": ["cookiecutter.extensions.SlugifyExtension"],
        "_tasks": [
            [
                "{{ _copier_python }}",
                "{{ _copier_conf.src_path }}/scripts/copier_render.py",
                "{{ {" + answers + "} | tojson }}",
                "{{ 'overwrite' if _copier_conf.overwrite else 'keep' }}",
            ]
        ],
    }
    text: str = yaml.safe_dump(
        settings | questions, allow_unicode=True, sort_keys=False, width=1000
    )
    return HEADER + text


def question(default: str | list[str], prompt: str | dict[str, str]) -> dict[str, Any]:
    """Return copier's form of one prompt."""
    if isinstance(prompt, str):
        return {"type": "str", "help": prompt, "default": str(default).replace("cookiecutter.", "")}
    choices = {text: value for value, text in prompt.items() if value != "__prompt__"}
    return {
        "type": "str",
        "help": prompt["__prompt__"],
        "choices": choices,
        "default": default[0],
    }


if __name__ == "__main__":
    COPIER_YML.write_text(copier_yml(), encoding="utf-8")

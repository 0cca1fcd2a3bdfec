"""Generation of `docs/settings.md` from the headings, `env` calls and comments of the settings."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

_HEADING = re.compile(r"# \d+\. (.+)")
_HEAD = """\
# Settings

Every setting is read from the environment or from the file `.env`; the environment takes
precedence. A bad value stops the startup with a one-sentence error that names it. Defaults are
Python, as in `config/settings.py`. `python manage.py document_settings` generates this page from
that file.
"""
_TABLE = "| variable | default | accepted | meaning |\n| --- | --- | --- | --- |"
_ACCEPTED = {
    "flag": "`true` or `false`",
    "rate": "`10/second`, `100/minute`, `1000/hour`",
    "names": "names, separated by commas",
    "seconds": "seconds",
    "path": "path of a file",
    "text": "text",
}


@dataclass(frozen=True)
class Setting:
    """One variable that the settings read from the environment."""

    line: int
    name: str
    default: str
    accepted: str
    meaning: str


def settings_page(source: str) -> str:
    """Return the page for the text of a settings module."""
    lines = source.splitlines()
    settings = sorted(read_settings(source), key=lambda setting: setting.line)
    headings = [number for number, line in enumerate(lines, 1) if _HEADING.fullmatch(line)]
    page = [_HEAD]
    for number, end in zip(headings, [*headings[1:], len(lines) + 1], strict=True):
        rows = [setting for setting in settings if number < setting.line < end]
        if rows:
            page.append(f"## {lines[number - 1].split('. ', 1)[1]}\n")
            page += [f"{text}\n" for text in [comment(lines, number + 1, step=1)] if text]
            page.append("\n".join([_TABLE, *map(row, rows), ""]))
    return "\n".join(page)


def row(setting: Setting) -> str:
    """Return one row of a table."""
    default = f"`{setting.default}`" if setting.default else ""
    cells = (f"`{setting.name}`", default, setting.accepted, setting.meaning)
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def read_settings(source: str) -> Iterator[Setting]:
    """Yield each call such as `env.flag("DEBUG", default=False)`, with the comment above it."""
    lines = source.splitlines()
    for statement in statements(ast.parse(source)):
        for call in ast.walk(statement):
            match call:
                case ast.Call(
                    func=ast.Attribute(ast.Name("env"), kind),
                    args=[ast.Constant(str(name)), *defaults],
                ):
                    named = {keyword.arg: keyword.value for keyword in call.keywords}
                    default = next(iter(defaults), named.get("default"))
                    yield Setting(
                        line=call.lineno,
                        name=name,
                        default=(default and ast.get_source_segment(source, default)) or "",
                        accepted=accepted(kind, named),
                        meaning=comment(lines, call.lineno - 1)
                        or comment(lines, statement.lineno - 1),
                    )


def statements(tree: ast.Module) -> Iterator[ast.stmt]:
    """Yield the statements that contain no others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and not any(
            isinstance(child, ast.stmt) for child in ast.iter_child_nodes(node)
        ):
            yield node


def accepted(kind: str, named: dict[str | None, ast.expr]) -> str:
    """Return a description of the values that a function of `onloop.env` accepts."""
    if kind == "whole_number":
        return f"`{ast.unparse(named['least'])}` to `{ast.unparse(named['most'])}`"
    if kind == "choice":
        return ", ".join(f"`{word}`" for word in ast.literal_eval(named["accepted"]))
    return _ACCEPTED.get(kind, "URL")


def comment(lines: list[str], number: int, *, step: int = -1) -> str:
    """Return the comment that ends at a line, or starts there with `step=1`, as one paragraph."""
    found: list[str] = []
    while 0 < number <= len(lines) and lines[number - 1].lstrip().startswith("#"):
        found.append(lines[number - 1].lstrip().removeprefix("#").strip())
        number += step
    return " ".join(found[::step]).strip()

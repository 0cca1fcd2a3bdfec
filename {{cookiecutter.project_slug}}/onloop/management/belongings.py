"""Removal of an app's parts from the text of a project's files."""

import re
from typing import NamedTuple


class App(NamedTuple):
    """An app's name, and a pattern for the names of its settings."""

    name: str
    setting: str


def app_of(name: str, settings: str) -> App:
    """Return an app; its settings are read in its section of `settings`, the settings module.

    A section begins with a comment such as `# 11. Jobs`, and ends before the next one.
    """
    heading = rf"\n# \d+\. {name.capitalize()}\n"
    section = re.search(rf"{heading}.*?(?=\n# \d+\. |\Z)", settings, re.DOTALL)
    names = re.findall(r'\benv\.\w+\(\s*"(\w+)"', section[0] if section else "")
    return App(name, f"(?:{'|'.join(names)})" if names else r"(?!)")


def python_without(app: App, text: str) -> str:
    """Return a module without the app's section and without lines that name it or its settings.

    Such lines contain `"jobs"` or `"jobs.urls"`, or begin with `os.environ.setdefault("JOBS_...` or
    `settings.JOBS_...`.
    """
    text = without_section(rf"# \d+\. {app.name.capitalize()}", r"# \d+\. ", text)
    setting = rf'(?:os\.environ\.setdefault\("|settings\.){app.setting}\b'
    return without_lines(rf'.*"{app.name}["\.].*|\s*{setting}.*', text)


def toml_without(app: App, text: str) -> str:
    """Return `pyproject.toml` without the app in import contracts, and exempt it from updates."""
    skipped = f'skip = [".env", "{app.name}", "tests/{app.name}"'
    text = text.replace('skip = [".env"', skipped)
    head, separator, contracts = text.partition("[tool.importlinter]")
    named = rf"{app.name}(\.[\w.*]+)?"
    item = rf'"({named}|{named} -> [^"]+|[^"]+ -> {named})"'
    contracts = without_lines(rf"\s*{item},?", contracts)
    contracts = re.sub(rf"{item}, |, {item}(?=\])|(?<=\[){item}(?=\])", "", contracts)
    return head + separator + contracts


def environment_without(app: App, text: str) -> str:
    """Return a file of environment variables, or such lines in YAML, without the app's settings."""
    return without_lines(rf"[#\s]*{app.setting}[=:].*", text)


def yaml_without(app: App, text: str) -> str:
    """Return `compose.yaml` without the app's settings and the services that run its commands."""
    services = re.split(r"\n(?=\n?  \w+:\n|\n?\w+:)", text)
    kept = [service for service in services if not runs_command_of(app, service)]
    return environment_without(app, "\n".join(kept))


def runs_command_of(app: App, text: str) -> bool:
    """Return whether a manifest runs a management command whose name begins with the app's."""
    return bool(re.search(rf"manage\.py,? {app.name}_", text))


def markdown_without(app: App, text: str) -> str:
    """Return a page without the app's sections, its line of the map, and lines that link to it.

    The map is the list of a project's folders in its README.
    """
    headings = ["## ", "### ", "#### "]
    for level, hashes in enumerate(headings, 1):
        upper = "|".join(headings[:level])
        text = without_section(f"{hashes}{app.name.capitalize()}", f"(?:{upper})", text)
    return without_lines(rf"{app.name}/ .*|[-|] .*[(/]{app.name}\.md[)#].*", text)


def without_section(heading: str, next_heading: str, text: str) -> str:
    """Return a text without the section from a heading to the next heading or the end."""
    section = rf"\n+{heading}\n.*?(?=\n+{next_heading}|\n\Z)"
    return re.sub(section, "", text, flags=re.DOTALL)


def without_lines(pattern: str, text: str) -> str:
    """Return a text without the lines that match a pattern completely."""
    return re.sub(rf"^(?:{pattern})\n", "", text, flags=re.MULTILINE)

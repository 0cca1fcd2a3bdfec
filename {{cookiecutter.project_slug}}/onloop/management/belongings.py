"""Removal of an app's parts from the text of a project's files; the app's name identifies them."""

import re


def python_without(app: str, text: str) -> str:
    """Return a module without the app's section and without lines that name it or its settings.

    Such lines contain `"jobs"` or `"jobs.urls"`, or begin with `os.environ.setdefault("JOBS_` or
    `settings.JOBS_`. A section begins with a comment such as `# 11. Jobs` and ends before the next.
    """
    text = without_section(rf"# \d+\. {app.capitalize()}", r"# \d+\. ", text)
    setting = rf'(?:os\.environ\.setdefault\("|settings\.){app.upper()}_'
    return without_lines(rf'.*"{app}["\.].*|\s*{setting}.*', text)


def toml_without(app: str, text: str) -> str:
    """Return `pyproject.toml` without the app in import contracts, and exempt it from updates."""
    text = text.replace('skip = [".env"', f'skip = [".env", "{app}", "tests/{app}"')
    head, separator, contracts = text.partition("[tool.importlinter]")
    named = rf"{app}(\.[\w.*]+)?"
    item = rf'"({named}|{named} -> [^"]+|[^"]+ -> {named})"'
    contracts = without_lines(rf"\s*{item},?", contracts)
    contracts = re.sub(rf"{item}, |, {item}(?=\])|(?<=\[){item}(?=\])", "", contracts)
    return head + separator + contracts


def environment_without(app: str, text: str) -> str:
    """Return a file of environment variables, or such lines in YAML, without the app's settings."""
    return without_lines(rf"[#\s]*{app.upper()}_\w+[=:].*", text)


def yaml_without(app: str, text: str) -> str:
    """Return `compose.yaml` without the app's settings and the services that run its commands."""
    services = re.split(r"\n(?=\n?  \w+:\n|\n?\w+:)", text)
    kept = [service for service in services if not runs_command_of(app, service)]
    return environment_without(app, "\n".join(kept))


def runs_command_of(app: str, text: str) -> bool:
    """Return whether a manifest runs a management command whose name begins with the app's."""
    return bool(re.search(rf"manage\.py,? {app}_", text))


def markdown_without(app: str, text: str) -> str:
    """Return a page without the app's sections, its line of the map, and lines that link to it.

    The map is the list of a project's folders in its README.
    """
    headings = ["## ", "### ", "#### "]
    for level, hashes in enumerate(headings, 1):
        upper = "|".join(headings[:level])
        text = without_section(f"{hashes}{app.capitalize()}", f"(?:{upper})", text)
    return without_lines(rf"{app}/ .*|[-|] .*[(/]{app}\.md[)#].*", text)


def without_section(heading: str, next_heading: str, text: str) -> str:
    """Return a text without the section from a heading to the next heading or the end."""
    section = rf"\n+{heading}\n.*?(?=\n+{next_heading}|\n\Z)"
    return re.sub(section, "", text, flags=re.DOTALL)


def without_lines(pattern: str, text: str) -> str:
    """Return a text without the lines that match a pattern completely."""
    return re.sub(rf"^(?:{pattern})\n", "", text, flags=re.MULTILINE)

"""The wheel of `onloop` is what projects are rendered with."""

import tomllib
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from tests.template import FOLDER, TEMPLATE

PACKAGE = TEMPLATE / "packages" / "onloop"


def project_table(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def test_wheel_holds_the_whole_folder(wheel: Path) -> None:
    source = FOLDER / "onloop"
    files = {
        path.relative_to(FOLDER).as_posix(): path.read_bytes()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    with ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
        packed = {name: archive.read(name) for name in names}

    assert packed.keys() == files.keys()
    assert packed == files


def test_version_is_that_of_the_changelog(wheel: Path) -> None:
    _, version, *_ = wheel.name.split("-")

    assert f"\n## {version} (" in (PACKAGE / "CHANGELOG.md").read_text()


def test_requirements_are_those_of_a_project() -> None:
    package, project = project_table(PACKAGE), project_table(FOLDER)

    assert package["requires-python"] == project["requires-python"]
    assert package["dependencies"] == project["dependencies"]
    assert package["optional-dependencies"] == project["optional-dependencies"]

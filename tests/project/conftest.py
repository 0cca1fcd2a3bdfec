"""One rendered and installed project for all tests of this folder."""

from pathlib import Path

import pytest

from tests.template import render, run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker have the tests of the installed project, and another those that drop parts.

    Each of the two installs it once; together that is the shortest.
    """
    for item in items:
        if isinstance(item, pytest.Function) and "project" in item.fixturenames:
            group = "drop" if item.path.name == "test_drop.py" else "project"
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project rendered from the defaults, installed by Poetry as its README says."""
    project = render(tmp_path_factory.mktemp("project")).project
    run(project, "make", "install")
    return project

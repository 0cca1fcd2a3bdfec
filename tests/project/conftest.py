"""One rendered and installed project for all tests of this folder."""

from pathlib import Path

import pytest

from tests.template import render, run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep all tests of the installed project on one worker, so that it is installed once."""
    for item in items:
        if isinstance(item, pytest.Function) and "project" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("project"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project rendered from the defaults, installed by Poetry as its README says."""
    project = render(tmp_path_factory.mktemp("project")).project
    run(project, "make", "install")
    return project

"""One rendered and installed project for all tests of this folder."""

from pathlib import Path

import pytest

from tests.template import render, run


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project rendered from the defaults, installed by Poetry as its README says."""
    project = render(tmp_path_factory.mktemp("project")).project
    run(project, "make", "install")
    return project

"""One rendered and installed project for all tests that need one."""

from pathlib import Path

import pytest
from filelock import FileLock

from tests.template import render, run

EXTRAS = "otel postgres redis rq"

# They run inside another project.
collect_ignore = ["package/bare", "project/acceptance", "project/third_party"]


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A project rendered from the defaults, installed by its Makefile, with all extras.

    The workers of one run share it: the first that asks installs it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "installed"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            run(render(folder).project, "make", "install", f"EXTRAS={EXTRAS}")
    (project,) = folder.iterdir()
    return project

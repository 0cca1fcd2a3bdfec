"""One rendered and installed project for all tests that need one."""

import os
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from tests.template import render, run

EXTRAS = "fast otel postgres redis rq"

# They run inside another project.
collect_ignore = ["package/bare", "project/acceptance", "project/third_party"]

# The longest first, or one worker is left with them at the end. For the first of all, one worker
# installs the project; until that is done, the others run tests that do without it.
LONGEST_FIRST = (
    "package/test_package.py::test_own_tests",
    "repository",  # One of these waits for the test before; all are short.
    "project/test_install.py::test_make_installs_with_uv",
    "project/test_install.py::test_pip",
    "deployment/test_image.py::test_web",
    "project/test_acceptance.py",
    "deployment/test_image.py",
    "package/test_package.py",
    "project/test_checks.py",
    "project/test_first_app.py",  # Before other tests that use mypy's cache.
    "browser",
    "project/test_drop.py::test_rest",
    "project/test_eject.py",
    "project/test_upstreams_page.py",
    "project/test_update.py",
    "project/test_demo.py",
    "project",
    "package",
    "rendering",
    "deployment",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests by `LONGEST_FIRST`."""

    def place(item: pytest.Item) -> int:
        name = item.nodeid.removeprefix("tests/")
        places = (number for number, one in enumerate(LONGEST_FIRST) if name.startswith(one))
        return next(places, len(LONGEST_FIRST))

    items.sort(key=place)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A project rendered from the defaults, installed by its Makefile, with all extras.

    It is installed as on a machine without Poetry, whose python3 is that of these tests. The
    workers of one run share it: the first to need it installs it, the others wait.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "installed"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            folders = [f"{sys.base_prefix}/bin", *os.environ["PATH"].split(os.pathsep)]
            path = os.pathsep.join(name for name in folders if not Path(name, "poetry").exists())
            install = ("env", "--unset", "POETRY", "make", "install", f"EXTRAS={EXTRAS}")
            run(render(folder).project, *install, PATH=path)
    (project,) = folder.iterdir()
    return project

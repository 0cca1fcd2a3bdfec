"""The image of a rendered project, built once."""

import os
import pickle

import pytest
from filelock import FileLock

from tests.deployment.container import Stage, build, missing
from tests.machine import skip_or_fail
from tests.template import render

INDEX = os.environ.get("POETRY_PYPI_MIRROR_URL", "")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Stage:
    """The image that the Dockerfile of a rendered project describes; all workers share it.

    Without namespaces, tests are skipped, unless REQUIRE_SERVICES is set.
    """
    if lack := missing():
        skip_or_fail(lack)
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "image"
    built = folder / "image.pickle"
    with FileLock(f"{folder}.lock"):
        if not built.exists():
            folder.mkdir()
            project = render(folder / "rendered").project
            for name in ("db.sqlite3", "db.sqlite3-wal", "aggregator/.env.local"):
                (project / name).write_text("This stays out of the image.")
            stage = build(project, folder / "stages", PIP_INDEX_URL=INDEX)
            built.write_bytes(pickle.dumps(stage))
    stage = pickle.loads(built.read_bytes())  # noqa: S301
    assert isinstance(stage, Stage)
    return stage

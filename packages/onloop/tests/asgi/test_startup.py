"""A project that cannot answer does not start."""

from pathlib import Path

import pytest
from pytest_django import Settings

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.startup import checked_project
from onloop.testing import serve_app
from tests.asgi.test_lifespan import Server
from tests.project.asgi import application

MANIFEST_STORAGE = {"staticfiles": {"BACKEND": "onloop.static.StaticFilesStorage"}}
REFUSED = "tests.asgi.url_confs.refused"
UNIMPORTABLE = "tests.asgi.url_confs.unimportable"


async def started() -> dict[str, str]:
    """Return the answer to the start of a lifespan that checks the project."""
    server = Server(Lifespan(checked_project))
    answer: dict[str, str] = await server.start()
    if answer["type"] == "lifespan.startup.complete":
        await server.stop()
    return answer


async def test_sound_project_starts() -> None:
    assert await started() == {"type": "lifespan.startup.complete"}


async def test_urlconf_that_cannot_be_imported_fails_the_start(settings: Settings) -> None:
    settings.ROOT_URLCONF = UNIMPORTABLE

    answer = await started()

    assert answer["type"] == "lifespan.startup.failed"
    assert "No module named 'no_such_app'" in answer["message"]
    assert "unimportable.py" in answer["message"]


async def test_failing_system_check_fails_the_start_in_its_own_words(settings: Settings) -> None:
    settings.ROOT_URLCONF = REFUSED

    answer = await started()

    assert answer["type"] == "lifespan.startup.failed"
    assert "(urls.E007)" in answer["message"]
    assert "Traceback" not in answer["message"]


async def test_static_files_must_be_collected(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | MANIFEST_STORAGE

    missing = await started()
    (tmp_path / "staticfiles.json").write_text('{"version": "1.1", "paths": {}}')
    collected = await started()

    assert missing == {
        "type": "lifespan.startup.failed",
        "message": f"There are no collected static files in {tmp_path}:"
        " run manage.py collectstatic.",
    }
    assert collected == {"type": "lifespan.startup.complete"}


def test_server_does_not_start(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.ROOT_URLCONF = UNIMPORTABLE

    with pytest.raises(RuntimeError, match="did not start"), serve_app(application):
        pytest.fail("was served all the same")

    assert "No module named 'no_such_app'" in caplog.text
    assert "startup complete" not in caplog.text

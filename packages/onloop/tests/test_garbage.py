"""Collections are rare, and leave out what was there at the start."""

import gc
from collections.abc import Iterator

import pytest
from django.apps import apps

from onloop.gc import _NEW_OBJECTS, _YOUNG_COLLECTIONS, pause_until_ready, resume, tuned_gc


@pytest.fixture(autouse=True)
def _usual_gc() -> Iterator[None]:
    """Start and end with nothing frozen, which a server in this process may have changed."""
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()


async def test_objects_of_the_start_are_frozen_until_the_end() -> None:
    class Loaded:
        """Stands for what a process loads at its start."""

    loaded = [Loaded()]
    async with tuned_gc():
        assert gc.get_freeze_count() > 0
        assert not any(item is loaded for item in gc.get_objects())

    assert gc.get_freeze_count() == 0
    assert any(item is loaded for item in gc.get_objects())


async def test_collections_are_rare_until_the_end() -> None:
    usual = gc.get_threshold()
    async with tuned_gc():
        assert gc.get_threshold() == (_NEW_OBJECTS, _YOUNG_COLLECTIONS, usual[2])

    assert gc.get_threshold() == usual


async def test_objects_frozen_before_stay_so() -> None:
    gc.freeze()
    async with tuned_gc():
        pass

    assert gc.get_freeze_count() > 0


def test_nothing_is_collected_until_apps_are_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "ready", False)
    pause_until_ready()
    pause_until_ready()  # `manage.py runserver` and `asgi.py` both do.
    assert not gc.isenabled()

    monkeypatch.undo()
    apps.get_app_config("onloop").ready()

    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def test_started_process_is_not_paused() -> None:
    pause_until_ready()

    assert gc.isenabled()


def test_process_without_garbage_collection_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps, "ready", False)
    gc.disable()
    pause_until_ready()
    resume()

    assert not gc.isenabled()
    assert gc.get_freeze_count() == 0

"""Collections are rare, and leave out what was there at the start."""

import gc

from onloop.gc import _NEW_OBJECTS, _YOUNG_COLLECTIONS, tuned_gc


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

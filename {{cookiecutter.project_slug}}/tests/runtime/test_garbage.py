"""Collections leave out what was there at the start."""

import gc

from runtime.garbage import long_lived_objects_frozen


async def test_objects_of_the_start_are_frozen_until_the_end() -> None:
    class Loaded:
        """Stands for what a process loads at its start."""

    loaded = [Loaded()]
    async with long_lived_objects_frozen():
        assert gc.get_freeze_count() > 0
        assert not any(item is loaded for item in gc.get_objects())

    assert gc.get_freeze_count() == 0
    assert any(item is loaded for item in gc.get_objects())

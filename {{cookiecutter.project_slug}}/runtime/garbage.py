"""Garbage collection for a process that lives long and serves many requests."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

OBJECTS_BETWEEN_COLLECTIONS = 10_000


@asynccontextmanager
async def garbage_collected_lightly() -> AsyncIterator[None]:
    """Spend less time on collections. A resource of the lifespan.

    A full collection visits each object of Django and the project, and holds up the event loop
    meanwhile: with all that is loaded by now frozen it is short, and so are the slowest answers.
    And Python collects for each 2,000 new objects, which is what a few requests in work hold: less
    often takes less time and finds as much.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()

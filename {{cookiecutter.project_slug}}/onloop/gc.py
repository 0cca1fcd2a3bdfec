"""Garbage collection for a process that lives long and serves many requests."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

NEW_OBJECTS = 10_000
YOUNG_COLLECTIONS = 1


@asynccontextmanager
async def garbage_collected_lightly() -> AsyncIterator[None]:
    """Make collections few and short. A resource of the lifespan.

    A full collection visits each object of Django and the project, and holds up the event loop
    meanwhile: with all that is loaded by now frozen it is short, and so are the slowest answers.
    A young one is begun for each 2,000 new objects by default, which is what a few requests in work
    hold; those that outlive it are garbage soon, as a request of Django refers to itself: so there
    are fewer young ones, and what survived them is looked at before much of it has piled up.
    https://docs.python.org/3/library/gc.html#gc.set_threshold
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS, YOUNG_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()

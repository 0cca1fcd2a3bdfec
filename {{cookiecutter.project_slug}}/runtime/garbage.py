"""Garbage collection that leaves out what lives as long as the process."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def long_lived_objects_frozen() -> AsyncIterator[None]:
    """Keep all that is loaded by now out of every later collection. A resource of the lifespan.

    A full collection visits each object of Django and the project, and holds up the event loop
    meanwhile: with these objects frozen it is short, and so are the slowest answers.
    https://docs.python.org/3/library/gc.html#gc.freeze
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()

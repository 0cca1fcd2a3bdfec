"""Garbage collection for a long-lived process that serves many requests."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_NEW_OBJECTS = 10_000
_YOUNG_COLLECTIONS = 1


@asynccontextmanager
async def tuned_gc() -> AsyncIterator[None]:
    """Make garbage collections rare and short. A resource of the ASGI lifespan.

    A full collection visits every object of Django and the project, and blocks the event loop in
    the meantime. Objects that exist by now are frozen, so collections skip them.

    CPython starts a young collection every 2,000 allocations. A few concurrent requests hold that
    many, survive, and become garbage later, because a Django request refers to itself. Fewer young
    collections, each followed soon by an older one, cost less.
    https://docs.python.org/3/library/gc.html#gc.set_threshold
    """
    usual = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()

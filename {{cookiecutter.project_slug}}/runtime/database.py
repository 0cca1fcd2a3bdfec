"""The pools of database connections that the requests of a process share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from django.db import connections

if TYPE_CHECKING:
    from psycopg import Connection


@asynccontextmanager
async def database_pools() -> AsyncIterator[None]:
    """Close the pools at the end; each opens when it is first used. A resource of the lifespan."""
    try:
        yield
    finally:
        await asyncio.to_thread(close_pools)


def close_pools() -> None:
    """Close the connections that wait in the pools, and end the pools' threads."""
    for connection in connections.all():
        if hasattr(connection, "close_pool"):
            connection.close_pool()


def check_connection(connection: Connection[Any]) -> None:
    """Raise an error if a pool's connection is lost, before a request borrows it.

    All that wait in the pool are then looked at: a database that went away took them all with it,
    and the pool waits longer after each one that it finds lost by itself.
    """
    from psycopg import Error
    from psycopg_pool import ConnectionPool

    pool: Any = connection._pool
    try:
        ConnectionPool.check_connection(connection)
    except Error:
        pool.check()
        raise

"""Database connections: the pool that requests share, and connections that no request can take."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from functools import partial
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

_OWN_POOL = {"max_size": 1, "timeout": 5.0, "reconnect_timeout": 5.0, "num_workers": 1}

_own_names: set[str] = set()


class DatabaseThread:
    """A thread with its own database connection, for work that must not wait for requests.

    On PostgreSQL the connection is kept open, in a pool of one, and every query on it has a time
    limit.
    """

    def __init__(self, name: str) -> None:
        _own_names.add(name)
        self._name = name
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run[**P, R](
        self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Return the result of `function(*args, **kwargs)`, run on the thread in call order."""
        call = partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, call)

    def _run[R](self, call: Callable[[], R]) -> R:
        with closing(own_connection(self._name)) as connection:
            connections[DEFAULT_DB_ALIAS] = connection
            try:
                return call()
            finally:
                del connections[DEFAULT_DB_ALIAS]


def own_connection(name: str) -> Any:
    """Return a connection to the default database that does not come from the requests' pool."""
    connection = connections[DEFAULT_DB_ALIAS].copy(name)
    if pool := connection.settings_dict["OPTIONS"].get("pool"):
        # psycopg is an extra, so it may not be installed without PostgreSQL.
        from onloop.postgres import OwnConnection

        pool |= _OWN_POOL | {"connection_class": OwnConnection}
    return connection


@asynccontextmanager
async def database_pools() -> AsyncIterator[None]:
    """Close the pools at shutdown; each opens on first use. A resource of the ASGI lifespan."""
    try:
        yield
    finally:
        await asyncio.to_thread(close_pools)


def close_pools() -> None:
    """Close the idle connections in the pools, and end the pools' threads."""
    for connection in (*connections.all(), *map(own_connection, _own_names)):
        if hasattr(connection, "close_pool"):
            connection.close_pool()

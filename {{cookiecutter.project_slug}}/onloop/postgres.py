"""Connections to PostgreSQL that notice when the server no longer replies.

A connection goes silent when its packets are dropped, after a failover or by a router that has
forgotten it. It is not closed, so without a limit a query waits for hours. TCP's own limits, in
`config/settings.py`, end it if packets are lost; the limits here also apply if a proxy still
accepts them.
"""

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg_pool import ConnectionPool

CHECK_SECONDS = 3.0
_OWN_QUERY_SECONDS = 5.0


class BoundedConnection(Connection[Any]):
    """A connection that is closed when the server takes longer than `seconds` to reply."""

    seconds: float | None = None

    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Do what `Connection.wait()` does, for at most `seconds` unless `timeout` is given.

        Raises:
            OperationalError: the limit has passed, or the connection is lost.
        """
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except OperationalError:
            self.close()
            raise


class OwnConnection(BoundedConnection):
    """A connection of an `onloop.database.DatabaseThread`, whose queries are all short."""

    seconds = _OWN_QUERY_SECONDS


def check_connection(connection: BoundedConnection) -> None:
    """Check that a pool's connection is usable, before a request borrows it.

    If it is not, all idle connections of the pool are replaced, because they have most likely been
    lost together, and the pool waits longer after each lost connection that it finds by itself.

    Raises:
        OperationalError: the connection is lost or silent.
    """
    # psycopg_pool passes only the connection to its check.
    pool: Any = connection._pool  # noqa: SLF001
    connection.seconds = CHECK_SECONDS
    try:
        ConnectionPool.check_connection(connection)
    except OperationalError:
        pool.drain()
        raise
    finally:
        connection.seconds = type(connection).seconds

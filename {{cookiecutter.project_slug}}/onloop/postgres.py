"""Connections to PostgreSQL that notice when nothing answers any more.

A connection goes silent when its packets are dropped, after a failover or by a router that has
forgotten it: nobody closes it, so without a limit a query waits for hours. TCP's own limits, in
`config/settings.py`, end it where packets are lost; those here also where a proxy still takes them.
"""

from typing import Any

from psycopg import Connection, OperationalError
from psycopg.abc import PQGen
from psycopg_pool import ConnectionPool

CHECK_SECONDS = 3.0
OWN_QUERY_SECONDS = 5.0


class BoundedConnection(Connection[Any]):
    """A connection that is closed when the server takes longer than `seconds` to answer."""

    seconds: float | None = None

    def wait[T](self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        """Connection.wait() with that limit.

        Raises:
            OperationalError: the limit has passed, or the connection is lost.
        """
        try:
            return super().wait(gen, interval, self.seconds if timeout is None else timeout)
        except OperationalError:
            self.close()
            raise


class OwnConnection(BoundedConnection):
    """A connection of the process's own, all of whose queries are short."""

    seconds = OWN_QUERY_SECONDS


def check_connection(connection: BoundedConnection) -> None:
    """Raise an error if a pool's connection is lost or silent, before a request borrows it.

    All that wait in the pool are then replaced: what took one of them took the others with it, and
    the pool waits longer after each one that it finds lost by itself.
    """
    # psycopg_pool passes its check nothing else that leads to the pool.
    pool: Any = connection._pool  # noqa: SLF001
    connection.seconds = CHECK_SECONDS
    try:
        ConnectionPool.check_connection(connection)
    except OperationalError:
        pool.drain()
        raise
    finally:
        connection.seconds = type(connection).seconds

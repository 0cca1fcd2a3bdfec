"""The services of the project under test: its own PostgreSQL database and Redis."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg

HOST = "127.0.0.1"
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty PostgreSQL database, which is dropped afterwards."""
    name = f"soak_{uuid4().hex}"
    with psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=5) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        try:
            yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
        finally:
            server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a `redis-server` without persistence.

    Raises:
        RuntimeError: there is no such program, or it does not start.
    """
    program = shutil.which("redis-server")
    if program is None:
        raise RuntimeError("redis-server is not installed.")
    port = free_port()
    options = ["--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([program, *options, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            wait_for(port, server)
            yield f"redis://{HOST}:{port}/0"
        finally:
            server.terminate()
            server.wait()


class Link:
    """A TCP proxy that can go silent: connections stay open, but no data passes.

    As behind a NAT that forgot them, or after a failover. New connections are silent as well.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = host, port
        self._open = asyncio.Event()
        self._open.set()

    async def silence(self, seconds: float) -> None:
        """Pass no data for that long, and then close the connections that were silent."""
        self._open.clear()
        await asyncio.sleep(seconds)
        self._open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection."""
        with contextlib.suppress(OSError):
            server_reader, server_writer = await asyncio.open_connection(*self._target)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pass_on(reader, server_writer))
                ways.create_task(self._pass_on(server_reader, writer))

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def link(url: str) -> AsyncIterator[tuple[Link, str]]:
    """A link to the server of a URL, and the URL through it."""
    parts = urlsplit(url)
    proxy = Link(parts.hostname or HOST, parts.port or 5432)
    async with await asyncio.start_server(proxy.serve, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        user = parts.netloc.rpartition("@")[0]
        yield proxy, urlunsplit(parts._replace(netloc=f"{user}@{HOST}:{port}"))


def connections_to(url: str) -> int:
    """Return the number of connections to the database, without this one."""
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    return int(row[0]) if row else 0


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port


def wait_for(port: int, process: subprocess.Popen[bytes], seconds: float = 60.0) -> None:
    """Return as soon as the process listens on the port.

    Raises:
        RuntimeError: it has ended, or does not listen in time.
    """
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} does not listen on port {port}.")

"""Clients of the project: requests, streams and WebSockets."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from onloop.http import upstreams
from onloop.testing import TLS
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.live import clients

AGGREGATED = "/async/api_aggregated/"


async def get(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, verify=TLS) as client:
        return await client.request(method, url)


def circuits() -> dict[str, str]:
    """The state of the circuit to each upstream."""
    return {upstream.name: str(upstream.figures().circuit) for upstream in upstreams()}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def parse(text: str) -> list[dict[str, Any]]:
    """The events of a stream, with their data parsed as JSON."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields: dict[str, Any] = {}
        for name, _, value in (line.partition(": ") for line in block.split("\n")):
            fields[name] = f"{fields[name]}\n{value}" if name == "data" in fields else value
        events.append(fields | {"data": json.loads(fields["data"])})
    return events


class Socket(clients.Socket):
    """One WebSocket to the project, which may also send bad messages and be closed."""

    async def error_for(self, text: str | bytes) -> dict[str, Any]:
        """Send a message, and return the error that comes back."""
        await self.connection.send(text)
        answer = await self.receive()
        assert answer["type"] == "error"
        error: dict[str, Any] = answer["error"]
        return error

    async def close_code(self) -> int | None:
        """Return the close code, after skipping any messages before it."""
        try:
            while True:
                await self.connection.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@asynccontextmanager
async def connected(url: str, **options: Any) -> AsyncIterator[Socket]:
    socket_url = f"{url.replace('http', 'ws', 1)}/ws/aggregate/"
    async with connect(socket_url, proxy=None, open_timeout=60, **options) as connection:
        yield Socket(connection)

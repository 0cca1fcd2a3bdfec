"""Clients of the project: requests, streams and WebSockets."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from onloop.http.origins import origins
from onloop.testing import TLS
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

AGGREGATED = "/async/api_aggregated/"


async def get(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, verify=TLS) as client:
        return await client.request(method, url)


def circuits() -> dict[str, str]:
    """The state of the circuit to each server that was called."""
    return {name: str(origin.breaker.state) for name, origin in origins().items()}


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


class Socket:
    """One WebSocket to the project."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def receive_until(self, name: str) -> list[dict[str, Any]]:
        messages = [await self.receive()]
        while messages[-1]["type"] != name:
            messages.append(await self.receive())
        return messages

    async def start(self, fan_out: int) -> str:
        """Start a run and return its id."""
        await self.send(type="start", fan_out=fan_out)
        start = await self.receive()
        assert start["type"] == "start"
        return str(start["run"])

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

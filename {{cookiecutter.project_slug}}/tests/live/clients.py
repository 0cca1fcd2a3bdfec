"""Clients: they read the events of a stream or the messages of a WebSocket."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect


def parse(text: str) -> list[dict[str, Any]]:
    """Return the events of a stream, with their data parsed as JSON."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields: dict[str, Any] = dict(line.split(": ", 1) for line in block.split("\n"))
        events.append(fields | {"data": json.loads(fields["data"])})
    return events


async def read(url: str, **headers: str) -> list[dict[str, Any]]:
    """Return the events of a stream once it has ended."""
    async with httpx.AsyncClient(headers=headers) as client:
        return parse((await client.get(url)).text)


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
        """Return the messages up to the one of this type."""
        messages = [await self.receive()]
        while messages[-1]["type"] != name:
            messages.append(await self.receive())
        return messages

    async def start(self, fan_out: int) -> str:
        """Start a run and return its id."""
        await self.send(type="start", fan_out=fan_out)
        return str((await self.receive())["run"])


@asynccontextmanager
async def connected(server: str) -> AsyncIterator[Socket]:
    """Open a WebSocket to the project."""
    url = f"{server.replace('http', 'ws', 1)}/ws/aggregate/"
    async with connect(url, proxy=None) as connection:
        yield Socket(connection)

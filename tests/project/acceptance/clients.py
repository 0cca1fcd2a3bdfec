"""Clients of the project: their requests, their WebSockets, and what they find out."""

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


async def ask(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, verify=TLS) as client:
        return await client.request(method, url)


def echoes(count: int) -> list[dict[str, int]]:
    return [{"task_id": number} for number in range(count)]


def circuits() -> dict[str, str]:
    """The state of the circuit to each server that was called."""
    return {name: str(origin.breaker.state) for name, origin in origins().items()}


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def parse(text: str) -> list[dict[str, Any]]:
    """The events of a stream, with their data read as JSON."""
    events = []
    for block in text.split("\n\n")[:-1]:
        fields: dict[str, Any] = {}
        for name, _, value in (line.partition(": ") for line in block.split("\n")):
            fields[name] = f"{fields[name]}\n{value}" if name == "data" in fields else value
        events.append(fields | {"data": json.loads(fields["data"])})
    return events


class Talk:
    """One WebSocket to the project."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, **message: object) -> None:
        await self.connection.send(json.dumps(message))

    async def hear(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await self.connection.recv())
        return message

    async def hear_until(self, name: str) -> list[dict[str, Any]]:
        messages = [await self.hear()]
        while messages[-1]["type"] != name:
            messages.append(await self.hear())
        return messages

    async def start(self, fan_out: int) -> str:
        """Start a run and return its id."""
        await self.say(type="start", fan_out=fan_out)
        start = await self.hear()
        assert start["type"] == "start"
        return str(start["run"])

    async def ask(self, text: str | bytes) -> dict[str, Any]:
        """Return the error that answers a message."""
        await self.connection.send(text)
        answer = await self.hear()
        assert answer["type"] == "error"
        error: dict[str, Any] = answer["error"]
        return error

    async def close_code(self) -> int | None:
        """Return the code that the other side closes with, after what it says before."""
        try:
            while True:
                await self.connection.recv()
        except ConnectionClosed as closed:
            return closed.rcvd.code if closed.rcvd else None


@asynccontextmanager
async def talk(url: str, **options: Any) -> AsyncIterator[Talk]:
    socket_url = f"{url.replace('http', 'ws', 1)}/ws/aggregate/"
    async with connect(socket_url, proxy=None, open_timeout=60, **options) as connection:
        yield Talk(connection)

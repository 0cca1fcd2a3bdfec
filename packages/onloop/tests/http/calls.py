import socket

from onloop.http import http_client
from onloop.http.origins import origins
from onloop.testing import Call


async def get(url: str, *, timeout: float = 30.0, max_bytes: int = 1_000_000) -> bytes:  # noqa: ASYNC109
    async with http_client() as client:
        return await client.get(url, timeout=timeout, max_bytes=max_bytes)


async def hello(call: Call) -> None:
    await call.reply(b'"hello"')


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def circuits() -> dict[str, str]:
    """The state of the circuit to each server that was called."""
    return {name: str(origin.breaker.state) for name, origin in origins().items()}

"""The upstream of a test, and some answers of its server."""

import socket
from typing import Any

from onloop.http import Upstream
from onloop.testing import Call


def declare(url: str, name: str = "prices", **options: Any) -> Upstream:
    """Declare an upstream at this URL, for one test."""
    return Upstream(name, base_url=url, **options)


async def hello(call: Call) -> None:
    await call.reply(b'"hello"')


async def broken(call: Call) -> None:
    await call.reply(b"{}", "500 Internal Server Error")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

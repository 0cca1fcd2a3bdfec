"""An upstream that answers most calls well, and one in ten in a harmful way.

`task_id=3` is hostile, each time in another way; `task_id=7` is large.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from soak.services import HOST

LARGE = json.dumps(["x" * 1000] * 200).encode()
WIDE = b"[" + b",".join([b"[]"] * 300_000) + b"]"

type Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def usual(writer: asyncio.StreamWriter) -> None:
    send(writer, b'{"message": "Hello World!"}')


async def large(writer: asyncio.StreamWriter) -> None:
    send(writer, LARGE)


async def wide(writer: asyncio.StreamWriter) -> None:
    """A body that takes long to parse."""
    send(writer, WIDE)


async def informational(writer: asyncio.StreamWriter) -> None:
    """Nothing but 1xx responses, for a while."""
    for _ in range(20_000):
        writer.write(b"HTTP/1.1 102 Processing\r\nX-Filler: %b\r\n\r\n" % (b"f" * 100))
        await writer.drain()
    writer.close()


async def one_byte_chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    writer.write(b'1\r\n"\r\n')
    for _ in range(100_000):
        writer.write(b"1\r\nx\r\n")
        await writer.drain()
    writer.write(b'1\r\n"\r\n0\r\n\r\n')


async def endless(writer: asyncio.StreamWriter) -> None:
    """A body that is longer than any limit."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        writer.write(b"10000\r\n%b\r\n" % (b"0" * 65536))
        await writer.drain()
    writer.close()


async def cut_off(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
    writer.close()


async def no_http(writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff" * 100)
    writer.close()


async def unavailable(writer: asyncio.StreamWriter) -> None:
    send(writer, b"{}", "503 Service Unavailable")


HOSTILE: tuple[Answer, ...] = (
    wide,
    informational,
    one_byte_chunks,
    endless,
    cut_off,
    no_http,
    unavailable,
)


def send(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK") -> None:
    """Write a complete response."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)


@asynccontextmanager
async def upstream() -> AsyncIterator[str]:
    """Serve on a free port; yield the URL."""
    turns = itertools.cycle(HOSTILE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                match = re.search(rb"task_id=(\d+)", head)
                await {b"3": next(turns), b"7": large}.get(match[1] if match else b"", usual)(
                    writer
                )
                await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, HOST, 0, backlog=1024) as server:
        yield f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"

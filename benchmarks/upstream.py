"""The upstream that aggregators ask: a raw asyncio server in a process of its own.

`/?task_id=N` answers `{"message": "Hello World!", "task_id": "N"}` after a fixed delay.
"""

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast

import uvloop

from benchmarks.lineup import ROOT
from benchmarks.servers import HOST

TASK_ID = re.compile(rb"[?&]task_id=(\d+)")


class UpstreamProtocol(asyncio.Protocol):
    """HTTP/1.1 GET with keep-alive, one request at a time on a connection."""

    transport: asyncio.Transport

    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\r\n\r\n"):
            return
        request_line = self.buffer.partition(b"\r\n")[0]
        self.buffer = b""
        match = TASK_ID.search(request_line)
        answer = response(match[1] if match else b"")
        if self.delay:
            asyncio.get_running_loop().call_later(self.delay, self.send, answer)
        else:
            self.send(answer)

    def send(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


def response(task_id: bytes) -> bytes:
    """The whole HTTP response for one task."""
    body = b'{"message": "Hello World!", "task_id": "%b"}' % task_id
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def serve(delay: float) -> None:
    """Listen on a free port, print it, and answer until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: UpstreamProtocol(delay), HOST, 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def upstream(delay: float = 0.0) -> Iterator[str]:
    """The URL of an upstream that answers after `delay` seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.upstream", str(delay)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    output = cast(IO[str], process.stdout)
    try:
        port = output.readline().strip()
        if not port:
            raise RuntimeError(f"The upstream ended with exit code {process.wait()}.")
        yield f"http://{HOST}:{port}/"
    finally:
        process.kill()
        process.wait()
        output.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("delay", type=float, help="seconds before each answer")
    uvloop.run(serve(parser.parse_args().delay))

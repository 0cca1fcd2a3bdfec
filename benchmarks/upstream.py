"""The upstream that aggregators call: a raw asyncio server in its own process.

`/?task_id=N` answers `{"message": "Hello World!", "task_id": "N"}` after a fixed delay, or after a
longer one for every n-th call. `/calls` returns the number of calls immediately.
"""

import argparse
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, cast

import uvloop

from benchmarks.lineup import ROOT
from benchmarks.servers import HOST

TASK_ID = re.compile(rb"[?&]task_id=(\d+)")


@dataclass
class Delays:
    """Seconds before each answer: `usual`, or `slow` for every `slow_every`-th call, if any."""

    usual: float
    slow: float = 0.0
    slow_every: int = 0
    calls: int = 0

    def next(self) -> float:
        self.calls += 1
        return self.slow if self.slow_every and self.calls % self.slow_every == 0 else self.usual


class UpstreamProtocol(asyncio.Protocol):
    """HTTP/1.1 GET with keep-alive, one request at a time on a connection."""

    transport: asyncio.Transport

    def __init__(self, delays: Delays) -> None:
        self.delays = delays
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.buffer.endswith(b"\r\n\r\n"):
            return
        request_line = self.buffer.partition(b"\r\n")[0]
        self.buffer = b""
        if request_line.startswith(b"GET /calls "):
            self.send(response(b"%d" % self.delays.calls))
            return
        match = TASK_ID.search(request_line)
        answer = task_response(match[1] if match else b"")
        if delay := self.delays.next():
            asyncio.get_running_loop().call_later(delay, self.send, answer)
        else:
            self.send(answer)

    def send(self, answer: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(answer)


def task_response(task_id: bytes) -> bytes:
    """The whole HTTP response for one task."""
    return response(b'{"message": "Hello World!", "task_id": "%b"}' % task_id)


def response(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


async def serve(delays: Delays) -> None:
    """Listen on a free port, print it, and answer until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: UpstreamProtocol(delays), HOST, 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


@contextmanager
def upstream(delay: float = 0.0, slow: float = 0.0, slow_every: int = 0) -> Iterator[str]:
    """The URL of an upstream that answers after the seconds in `Delays`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.upstream", *map(str, (delay, slow, slow_every))],
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
    parser.add_argument("delay", type=float, help="seconds before an answer")
    parser.add_argument("slow", type=float, help="seconds before a slow answer")
    parser.add_argument("slow_every", type=int, help="how many calls there are to each slow one")
    arguments = parser.parse_args()
    uvloop.run(serve(Delays(arguments.delay, arguments.slow, arguments.slow_every)))

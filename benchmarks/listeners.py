"""Clients of the broadcast, in their own process: each holds one stream open.

Prints how many streams are open, and the seconds that took; then how many of these got exactly one
announcement, after all have it or `HEARING_TIMEOUT` has passed.
"""

import argparse
import asyncio
import time

import uvloop

from benchmarks.servers import HOST

PATH = "/announcements/"
WELCOME = b"data: welcome\n\n"
ANNOUNCEMENT = b"data: announcement\n\n"
OPENING_AT_ONCE = 100
OPENING_TIMEOUT = 30.0
HEARING_TIMEOUT = 60.0
REQUEST = f"GET {PATH} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


class Listener(asyncio.Protocol):
    """One stream; `welcomed` and `heard` are done when their event is there."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.welcomed: asyncio.Future[None] = loop.create_future()
        self.heard: asyncio.Future[None] = loop.create_future()
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        for event, future in ((WELCOME, self.welcomed), (ANNOUNCEMENT, self.heard)):
            if not future.done() and event in self.received:
                future.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.welcomed.cancel()
        self.heard.cancel()


async def open_stream(port: int, gate: asyncio.Semaphore) -> Listener | None:
    """A stream that has sent its welcome, or None where the server could not hold one more."""
    async with gate:
        try:
            transport, listener = await asyncio.get_running_loop().create_connection(
                Listener, HOST, port
            )
        except OSError:
            return None
        transport.write(REQUEST)
        await asyncio.wait([listener.welcomed], timeout=OPENING_TIMEOUT)
        if listener.welcomed.done() and not listener.welcomed.cancelled():
            return listener
        transport.close()
        return None


async def listen(port: int, count: int) -> None:
    """Open `count` streams, then wait for the announcement."""
    start = time.perf_counter()
    gate = asyncio.Semaphore(OPENING_AT_ONCE)
    opened = await asyncio.gather(*[open_stream(port, gate) for _ in range(count)])
    held = [stream for stream in opened if stream]
    print(len(held), time.perf_counter() - start, flush=True)
    await asyncio.wait([stream.heard for stream in held], timeout=HEARING_TIMEOUT)
    print(sum(stream.received.count(ANNOUNCEMENT) == 1 for stream in held), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int, help="how many streams to open")
    arguments = parser.parse_args()
    uvloop.run(listen(arguments.port, arguments.count))

"""Attacks, each from its own address, until the task is cancelled."""

import asyncio
import contextlib
import itertools
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import aiohttp

from soak.project import Process
from soak.services import HOST

# Any address in 127.0.0.0/8 is this machine: a rate limit distinguishes these clients.
ADDRESSES = itertools.cycle(f"127.0.0.{number}" for number in range(2, 255))
PAUSE = 1.0

type Counts = Counter[str]
type Attack = Callable[[int, Counts], Awaitable[None]]


async def attack(servers: Sequence[Process], counts: Counts) -> None:
    """Run all attacks concurrently and repeatedly, on both servers in turn."""
    async with asyncio.TaskGroup() as group:
        for number, (one, how_many) in enumerate(ATTACKS.items()):
            for offset in range(how_many):
                group.create_task(repeat(one, servers, number + offset, counts))


async def repeat(one: Attack, servers: Sequence[Process], turn: int, counts: Counts) -> None:
    """Repeat an attack on the servers in turn; a server that is down refuses, which is expected."""
    while True:
        turn += 1
        with contextlib.suppress(OSError):
            await one(servers[turn % len(servers)].port, counts)
        await asyncio.sleep(PAUSE)


async def connected(port: int, receive_buffer: int = 0) -> socket.socket:
    """Return a connection from the next address."""
    client = socket.socket()
    client.setblocking(False)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.bind((next(ADDRESSES), 0))
    await asyncio.get_running_loop().sock_connect(client, (HOST, port))
    return client


def request(path: str) -> bytes:
    """Return the bytes of a GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()


def post(path: str, length: int) -> bytes:
    """Return the head of a POST request that announces a body."""
    return f"POST {path} HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: {length}\r\n\r\n".encode()


async def read_nothing(port: int, counts: Counts) -> None:
    """Request a large response or a stream, and read none of it until the server gives up."""
    path = ("/async/api_aggregated/", "/async/api_stream/")[counts["read nothing"] % 2]
    with contextlib.closing(await connected(port, receive_buffer=4096)) as client:
        loop = asyncio.get_running_loop()
        counts["read nothing"] += 1
        await loop.sock_sendall(client, request(path) * 8)
        await asyncio.sleep(60)


async def error_pages(port: int, counts: Counts) -> None:
    """Unknown URLs, whose error page reads the user from the database."""
    headers = {"Cookie": "sessionid=0123456789abcdef0123456789abcdef"}
    await flood(port, counts, "error pages", "/no/such/page/", rate=50, headers=headers)


async def refused(port: int, counts: Counts) -> None:
    """More aggregations than a client may make, and bad ones."""
    await flood(port, counts, "beyond the rate limit", "/async/api_aggregated/", rate=100)
    await flood(port, counts, "bad fan_out", "/async/api_stream/?fan_out=many", rate=100)


async def slow_headers(port: int, counts: Counts) -> None:
    """A request whose headers never end."""
    with contextlib.closing(await connected(port)) as client:
        counts["slow headers"] += 1
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
            for number in range(60):
                await loop.sock_sendall(client, b"X-Filler-%d: a\r\n" % number)
                await asyncio.sleep(1)


async def slow_body(port: int, counts: Counts) -> None:
    """A POST whose body arrives one byte per second."""
    with contextlib.closing(await connected(port)) as client:
        counts["slow bodies"] += 1
        loop = asyncio.get_running_loop()
        head = post("/jobs/aggregate/", length=1000)
        with contextlib.suppress(OSError):
            await loop.sock_sendall(client, head)
            for _ in range(60):
                await loop.sock_sendall(client, b"x")
                await asyncio.sleep(1)


async def large_body(port: int, counts: Counts) -> None:
    """A POST of 100 MB, as fast as the server reads it."""
    with contextlib.closing(await connected(port)) as client:
        counts["large bodies"] += 1
        loop = asyncio.get_running_loop()
        head = post("/jobs/aggregate/", length=100_000_000)
        with contextlib.suppress(OSError):
            await loop.sock_sendall(client, head)
            for _ in range(1000):
                await loop.sock_sendall(client, b"x" * 100_000)
        await asyncio.sleep(5)


async def pipeline(port: int, counts: Counts) -> None:
    """Many pipelined requests on one connection, read to the end."""
    with contextlib.closing(await connected(port)) as client:
        counts["pipelined"] += 20
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, TimeoutError):
            await loop.sock_sendall(client, request("/sync/api/?task_id=1") * 20)
            async with asyncio.timeout(5):
                while await loop.sock_recv(client, 65536):
                    pass


async def flood_websocket(port: int, counts: Counts) -> None:
    """An endless flood of WebSocket pings, one byte each."""
    handshake = (
        b"GET /ws/aggregate/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    ping = b"\x89\x81\x00\x00\x00\x00x"
    with contextlib.closing(await connected(port)) as client:
        counts["flooded WebSockets"] += 1
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(20):
                await loop.sock_sendall(client, handshake)
                while True:
                    await loop.sock_sendall(client, ping * 10_000)
                    with contextlib.suppress(BlockingIOError):
                        client.recv(65536)


async def leave(port: int, counts: Counts) -> None:
    """Start an aggregation and disconnect before the response."""
    with contextlib.closing(await connected(port)) as client:
        counts["left early"] += 1
        await asyncio.get_running_loop().sock_sendall(client, request("/async/api_aggregated/"))
        await asyncio.sleep(0.01)


async def flood(
    port: int,
    counts: Counts,
    name: str,
    path: str,
    *,
    rate: int,
    headers: dict[str, str] | None = None,
) -> None:
    """Send `rate` requests, over ten connections, and count the statuses."""
    connector = aiohttp.TCPConnector(limit=10, local_addr=(next(ADDRESSES), 0))
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:

        async def call() -> None:
            try:
                async with client.get(f"http://{HOST}:{port}{path}", headers=headers) as response:
                    await response.read()
                    counts[f"{name}: {response.status}"] += 1
            except (aiohttp.ClientError, TimeoutError) as error:
                counts[f"{name}: {type(error).__name__}"] += 1

        await asyncio.gather(*(call() for _ in range(rate)))


# Each attack, and how many do it at the same time.
ATTACKS: dict[Attack, int] = {
    read_nothing: 6,
    error_pages: 1,
    refused: 1,
    slow_headers: 20,
    slow_body: 20,
    large_body: 1,
    pipeline: 2,
    flood_websocket: 1,
    leave: 4,
}

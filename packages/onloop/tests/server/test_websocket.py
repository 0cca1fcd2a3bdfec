"""What a client may send over a WebSocket, and how long it may keep the server waiting."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.server import connection, websocket
from onloop.testing import fetch, serve_app
from tests.server.frames import CLOSE, HANDSHAKE, NO_MASK, PING, PONG, TEXT

TEN_MEGABYTES = b"\x81\xff" + (10_000_000).to_bytes(8) + NO_MASK + b"x" * 10_000_000
LARGE = "x" * 1024 * 1024
IN_A_PART = websocket.PART_BYTES // len(PING) + 1


class Service:
    """`/echo` sends back what it gets, `/close` closes after the first message, `/large` sends."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.most_queued = 0
        self.some_received = threading.Event()
        self.may_receive = asyncio.Event()
        self.accepted = threading.Event()
        self.left = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"hello"})
            return
        self.loop = asyncio.get_running_loop()
        await receive()
        await send({"type": "websocket.accept"})
        self.accepted.set()
        try:
            while scope["path"] == "/large":
                await send({"type": "websocket.send", "text": LARGE})
            if scope["path"] == "/waiting":
                await self.may_receive.wait()
            while (message := await receive())["type"] == "websocket.receive":
                queue = receive.__self__.queue  # type: ignore[attr-defined]
                self.most_queued = max(self.most_queued, queue.qsize())
                self.received.append(message["text"])
                self.some_received.set()
                if scope["path"] == "/close":
                    await send({"type": "websocket.close", "code": 1008})
                    return
                if scope["path"] == "/echo":
                    await send({"type": "websocket.send", "text": message["text"]})
        except OSError:
            pass
        finally:
            self.left.set()


@pytest.fixture
def service() -> Service:
    return Service()


@contextmanager
def serving(service: Service, *resources: Any, **options: Any) -> Iterator[str]:
    app = ProtocolRouter(http=service, websocket=service, lifespan=Lifespan(*resources))
    with serve_app(app, **options) as url:
        yield url


@contextmanager
def raw(url: str, path: bytes, receive_buffer: int = 65_536) -> Iterator[socket.socket]:
    """A client that is one socket, after the handshake."""
    with socket.socket() as client:
        client.settimeout(30)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        client.connect(("127.0.0.1", urlsplit(url).port))
        client.sendall(HANDSHAKE.replace(b"GET /", b"GET " + path))
        assert client.recv(12) == b"HTTP/1.1 101"
        yield client


@pytest.fixture
def _few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred frames may come, and no more during a test."""
    monkeypatch.setattr(websocket, "_FRAMES_PER_SECOND", 0.001)
    monkeypatch.setattr(websocket, "_BURST_SECONDS", 100_000.0)


def send_all(client: ClientConnection, texts: list[str]) -> None:
    for text in texts:
        client.send(text)


@pytest.mark.usefixtures("_few_frames")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_flood_of_messages_is_held_back(service: Service, loop: str) -> None:
    with serving(service, loop=loop) as url, raw(url, b"/") as client:
        client.sendall(TEXT * 20_000)
        assert service.some_received.wait(30)
        for _ in range(20):
            assert fetch(url).text == "hello"
    assert 100 <= len(service.received) <= 100 + IN_A_PART


@pytest.mark.usefixtures("_few_frames")
def test_flood_of_pings_is_held_back(service: Service) -> None:
    with serving(service) as url, raw(url, b"/") as client:
        client.sendall(PING * 20_000)
        received = b""
        while received.count(PONG) < 100:
            received += client.recv(65_536)
        for _ in range(20):
            assert fetch(url).text == "hello"
        client.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                received += client.recv(65_536)
    assert received.count(PONG) <= 100 + IN_A_PART


def test_messages_held_back_come_later(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some at a time: no more is read than the application takes."""
    monkeypatch.setattr(websocket, "_FRAMES_PER_SECOND", 20_000)
    with serving(service) as url, connect(f"{url.replace('http', 'ws')}/waiting") as client:
        texts = [str(number) for number in range(30_000)]
        sending = threading.Thread(target=send_all, args=(client, texts))
        sending.start()
        assert service.accepted.wait(30)
        assert service.loop
        service.loop.call_soon_threadsafe(service.may_receive.set)
        sending.join()
        client.close()
        assert service.left.wait(30)
    assert service.received == texts
    assert service.most_queued <= IN_A_PART


def test_pings_held_back_are_answered_later(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_FRAMES_PER_SECOND", 2_000)
    monkeypatch.setattr(websocket, "_BURST_SECONDS", 0.05)
    with serving(service) as url, raw(url, b"/") as client:
        client.sendall(PING * 2_000)
        received = b""
        while not received.endswith(PONG * 2_000):
            received += client.recv(65_536)


def test_large_and_small_messages_are_echoed(service: Service) -> None:
    texts = ["", "x" * 65_536, "short"] * 20
    with serving(service) as url, connect(f"{url.replace('http', 'ws')}/echo") as client:
        for text in texts:
            client.send(text)
        assert [client.recv() for _ in texts] == texts


def test_too_large_message_is_refused_to_a_client_that_is_still_sending(service: Service) -> None:
    with serving(service) as url, raw(url, b"/") as client:
        client.sendall(TEN_MEGABYTES)
        received = b""
        while data := client.recv(65_536):
            received += data
    assert received.partition(b"\x88")[2][1:3] == (1009).to_bytes(2)


def test_too_large_message_is_refused_over_tls(
    service: Service, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    file, context = certificate
    with (
        serving(service, ssl_certfile=file) as url,
        connect(f"{url.replace('http', 'ws')}/echo", ssl=context) as client,
    ):
        client.send("x" * 100_000)
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv()
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 1009


def test_client_that_goes_on_after_the_close_frame_is_given_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "_CLOSE_SECONDS", 0.2)
    with serving(service) as url, raw(url, b"/close") as client:
        received = b""
        with suppress(ConnectionError):
            while True:
                client.sendall(TEXT * 1000)
        with suppress(ConnectionError):
            while data := client.recv(65_536):
                received += data
    assert received.endswith(b"\x88\x02\x03\xf0")


def test_client_that_does_not_read_is_given_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_CHECK_SECONDS", 0.1)
    with serving(service) as url, raw(url, b"/large", 4096):
        assert service.left.wait(30)


def test_server_stops_while_a_client_has_closed_and_does_not_read(service: Service) -> None:
    closed = threading.Event()

    @asynccontextmanager
    async def resource() -> AsyncIterator[None]:
        yield
        closed.set()

    with ExitStack() as clients:
        with serving(service, resource, timeout_graceful_shutdown=0.2) as url:
            client = clients.enter_context(raw(url, b"/large", 4096))
            client.sendall(CLOSE)
            assert fetch(url).text == "hello"
        assert closed.is_set()

"""What a client may send over HTTP, and how long it may keep the server waiting."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import batched
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.server import connection
from onloop.testing import serve_app

LARGE = 8 * 1024 * 1024
GET = b"GET %b HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"


class Service:
    """`/large` is LARGE bytes, `/stream` twice that and no end, `/hello` is short; others wait.

    All but `/hello` last until the client has left.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun = threading.Semaphore(0)
        self.left = threading.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        self.asked.append(path)
        self.begun.release()
        if path == "/hello":
            await answer(send, b"hello")
            return
        if path == "/large":
            await answer(send, b"x" * LARGE)
        if path == "/stream":
            await answer(send, b"x" * LARGE, b"x" * LARGE, more=True)
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.release()


async def answer(send: Send, *bodies: bytes, more: bool = False) -> None:
    length = sum(map(len, bodies)) + more
    headers = [(b"content-length", str(length).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for body in bodies:
        await send({"type": "http.response.body", "body": body, "more_body": True})
    if not more:
        await send({"type": "http.response.body"})


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_CHECK_SECONDS", 0.1)


@contextmanager
def serving(service: Service, **options: Any) -> Iterator[str]:
    with serve_app(ProtocolRouter(http=service, lifespan=Lifespan()), **options) as url:
        yield url


def connect(url: str, receive_buffer: int = 0) -> socket.socket:
    client = socket.socket()
    client.settimeout(30)
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(("127.0.0.1", urlsplit(url).port))
    return client


def wait_for_reset(client: socket.socket) -> None:
    """Return when the server has given up the connection, without reading from it."""
    poll = select.poll()
    poll.register(client, 0)
    assert poll.poll(30_000), "The server keeps the connection."


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the server closes the connection."""
    received = b""
    try:
        while data := client.recv(65_536):
            received += data
    except ConnectionResetError:
        pass
    return received


def send_without_end(client: socket.socket) -> None:
    for _ in range(1000):
        client.sendall(b"x" * 65_536)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
@pytest.mark.parametrize("path", ["/large", "/stream"])
def test_client_that_does_not_read_is_given_up(service: Service, path: str, loop: str) -> None:
    with serving(service, loop=loop) as url, connect(url, receive_buffer=4096) as client:
        client.sendall(GET % path.encode())
        wait_for_reset(client)
        assert service.left.acquire(timeout=30)


@pytest.mark.usefixtures("_impatient")
def test_closing_connection_whose_client_does_not_read_is_given_up(service: Service) -> None:
    with serving(service) as url, connect(url, receive_buffer=4096) as client:
        client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        wait_for_reset(client)


@pytest.mark.usefixtures("_impatient")
def test_client_that_does_not_read_over_tls_is_given_up(
    service: Service, certificate: tuple[Path, ssl.SSLContext]
) -> None:
    file, context = certificate
    with (
        serving(service, ssl_certfile=file) as url,
        context.wrap_socket(connect(url, 4096), server_hostname="127.0.0.1") as client,
    ):
        client.sendall(GET % b"/stream")
        wait_for_reset(client)
        assert service.left.acquire(timeout=30)


@pytest.mark.parametrize(
    ("path", "grace"), [("/large", 0.2), ("/stream", 0.2), ("/wait", 0.2), ("/hello", None)]
)
def test_client_that_does_not_read_does_not_keep_the_server_from_its_end(
    service: Service, path: str, grace: float | None
) -> None:
    with ExitStack() as clients, serving(service, timeout_graceful_shutdown=grace) as url:
        client = clients.enter_context(connect(url, receive_buffer=4096))
        client.sendall(GET % path.encode())
        assert service.begun.acquire(timeout=30)


def test_client_that_reads_slowly_gets_everything(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the kernel would take at once lasts the client longer than two checks."""
    monkeypatch.setattr(connection, "_CHECK_SECONDS", 0.2)
    with serving(service) as url, connect(url, receive_buffer=65_536) as client:
        client.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        received = 0
        while data := client.recv(50_000):
            received += len(data)
            time.sleep(0.01)
    assert received > LARGE


@pytest.mark.parametrize("pieces", [1, 7])
def test_too_large_head_is_refused(service: Service, pieces: int) -> None:
    head = b"GET /hello HTTP/1.1\r\nHost: x\r\nCookie: " + b"x" * 70_000 + b"\r\n\r\n"
    with serving(service) as url, connect(url) as client:
        for piece in batched(head, len(head) // pieces + 1):
            client.sendall(bytes(piece))
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert answer.endswith(
        b'{"error": {"type": "headers_too_large", "message":'
        b' "The request line and the headers are longer than 65536 bytes."}}'
    )
    assert service.asked == []


def test_head_without_end_is_refused(service: Service) -> None:
    with serving(service) as url, connect(url) as client:
        client.sendall(b"GET /hello HTTP/1.1\r\nCookie: ")
        with suppress(ConnectionError):
            send_without_end(client)
        assert read_all(client).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize("start", [b"1;extension=", b"1\r\nx\r\n0\r\nTrailer: "])
def test_chunks_that_are_no_body_are_not_read_for_good(service: Service, start: bytes) -> None:
    post = b"POST /wait HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serving(service) as url, connect(url) as client:
        client.sendall(post + start)
        with pytest.raises(ConnectionError):
            send_without_end(client)
        assert service.left.acquire(timeout=30)


def test_large_head_is_served(service: Service) -> None:
    """Also where it comes together with the end of a large body."""
    head = b"Host: x\r\nCookie: " + b"x" * 60_000 + b"\r\n"
    post = b"POST /hello HTTP/1.1\r\n" + head + b"Content-Length: 200000\r\n\r\n" + b"x" * 200_000
    get = b"GET /hello HTTP/1.1\r\n" + head + b"Connection: close\r\n\r\n"
    with serving(service) as url, connect(url) as client:
        client.sendall(post + get)
        assert read_all(client).count(b"200 OK") == 2


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize(
    ("first", "more", "status"),
    [
        pytest.param(b"", b"", b"", id="all"),
        pytest.param(b"", b"GET /hello HTTP/1.1\r\nHost: x\r\nA", b"HTTP/1.1 408 ", id="head"),
        pytest.param(GET % b"/hello", b"GET", b"HTTP/1.1 408 ", id="next head"),
        pytest.param(POST % b"/hello", b"x", b"", id="body"),
    ],
)
def test_client_that_owes_something_is_given_up(
    service: Service, first: bytes, more: bytes, status: bytes
) -> None:
    with serving(service) as url, connect(url) as client:
        if first:
            client.sendall(first)
            assert client.recv(65_536).endswith(b"hello")
        client.sendall(more)
        assert read_all(client).startswith(status)


def test_malformed_request_is_refused(service: Service) -> None:
    with serving(service) as url, connect(url) as client:
        client.sendall(b"hello\r\n\r\n")
        answer = read_all(client)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert answer.endswith(b'"Invalid HTTP request received."}}')


def test_refusal_is_not_written_into_an_answer(service: Service) -> None:
    with serving(service) as url, connect(url) as client:
        client.sendall(GET % b"/stream")
        assert service.begun.acquire(timeout=30)
        client.sendall(b"hello\r\n\r\n")
        assert b"HTTP/1.1 400" not in read_all(client)


def test_requests_sent_together_are_answered_in_order(service: Service) -> None:
    with serving(service) as url, connect(url) as client:
        client.sendall(GET % b"/hello" * 20 + b"GET /hello HTTP/1.0\r\n\r\n")
        assert read_all(client).count(b"200 OK") == 21


def test_too_many_requests_sent_together_are_refused(service: Service) -> None:
    with serving(service) as url, connect(url) as client:
        client.sendall(GET % b"/wait" * 1000)
        assert read_all(client) == b""
        assert service.left.acquire(timeout=30)
    assert service.asked == ["/wait"]


def test_request_is_told_that_its_client_has_left_while_another_waits(service: Service) -> None:
    with serving(service) as url:
        with connect(url) as client:
            client.sendall(GET % b"/wait" * 2)
            assert service.begun.acquire(timeout=30)
        assert service.left.acquire(timeout=30)
    assert service.asked == ["/wait"]

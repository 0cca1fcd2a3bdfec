"""How large and how slow the body of a request may be."""

import json
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import httpx
import pytest

from onloop.asgi import bodies, refusal
from onloop.asgi.bodies import BodyLimits
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.types import Receive, Scope, Send
from onloop.testing import TLS, serve_app

LIMIT = 100_000
TOO_LARGE = {"type": "body_too_large", "message": f"The body is longer than {LIMIT} bytes."}


class Service:
    """Answers with the length of the body when it has all of it; `/eager` begins before that."""

    def __init__(self) -> None:
        self.received = 0
        self.left = threading.Semaphore(0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": []}
        if scope["path"] == "/eager":
            await send(start)
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                assert (await receive())["type"] == "http.disconnect"
                await send(start)
                self.left.release()
                return
            self.received += len(message["body"])
            more = message["more_body"]
        if scope["path"] != "/eager":
            await send(start)
        await send({"type": "http.response.body", "body": b"%d" % self.received})
        assert (await receive())["type"] == "http.disconnect"


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    app = ProtocolRouter(http=BodyLimits(service, LIMIT), lifespan=Lifespan())
    with serve_app(app) as url, httpx.Client(base_url=url, timeout=50, verify=TLS) as client:
        yield client


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 1000):
        yield b"x" * 1000


def talk(client: httpx.Client, *sent: bytes) -> bytes:
    """Send something that is no whole request; return what comes until the connection ends."""
    address = ("127.0.0.1", urlsplit(str(client.base_url)).port or 0)
    with socket.create_connection(address, timeout=30) as connection:
        for data in sent:
            connection.sendall(data)
        received = b""
        while data := connection.recv(65_536):
            received += data
        return received


def test_body_within_the_limit_is_received(client: httpx.Client) -> None:
    assert client.post("/", content=b"x" * LIMIT).text == str(LIMIT)
    assert client.post("/", content=chunks(LIMIT)).text == str(2 * LIMIT)
    assert client.get("/").text == str(2 * LIMIT)


def test_too_long_body_is_refused_unread(client: httpx.Client, service: Service) -> None:
    """Also to a client that looks for an answer only when it has sent all, such as Python's own."""
    connection = HTTPConnection(client.base_url.host, client.base_url.port or 0, timeout=50)
    connection.request("POST", "/", body=b"x" * 100 * LIMIT)
    refused = connection.getresponse()

    assert (refused.status, json.load(refused)["error"]) == (413, TOO_LARGE)
    assert refused.headers["Connection"] == "close"
    assert service.received == 0
    assert client.get("/").text == "0"


def test_body_that_grows_too_long_is_refused(client: httpx.Client, service: Service) -> None:
    refused = client.post("/", content=chunks(10 * LIMIT))

    assert (refused.status_code, refused.json()["error"]) == (413, TOO_LARGE)
    assert service.received <= LIMIT
    assert service.left.acquire(timeout=30)


def test_client_that_does_not_end_is_not_waited_for(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusal, "_LINGER_SECONDS", 0.1)
    answer = talk(client, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_slow_body_is_refused(
    client: httpx.Client, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_BODY_SECONDS", 0.2)
    monkeypatch.setattr(refusal, "_LINGER_SECONDS", 0.1)
    answer = talk(client, b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert answer.endswith(b'"timeout", "message": "The body did not arrive within 0 s."}}')
    assert service.left.acquire(timeout=30)


def test_body_is_cut_off_where_its_answer_has_begun(client: httpx.Client, service: Service) -> None:
    with pytest.raises(httpx.TransportError):
        client.post("/eager", content=chunks(10 * LIMIT))
    assert service.left.acquire(timeout=30)

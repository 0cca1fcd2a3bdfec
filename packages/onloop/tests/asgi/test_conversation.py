"""A WebSocket's bounds, its stream of events, and all that ends it."""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Any

import pytest
from pytest_django import Settings
from redis.exceptions import ConnectionError as RedisConnectionError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from onloop.asgi import conversation
from onloop.asgi.conversation import Conversation, MessageRefusedError
from onloop.asgi.lifespan import Lifespan, stopping
from onloop.asgi.routing import ProtocolRouter
from onloop.event import Event
from onloop.rate_limit import RateLimitedError
from onloop.rates import Rate
from onloop.testing import serve_app

type Source = Callable[[], AsyncGenerator[Event]]

errors: dict[str, Exception] = {
    "refused": MessageRefusedError("not_now", "Not now."),
    "limited": RateLimitedError(Rate(1, 60), 7),
    "broken": ZeroDivisionError(),
    "redis": RedisConnectionError("no route"),
}
sources: dict[str, Source] = {}


class Talk(Conversation):
    """Echoes, raises, and streams what a test has put into `sources`."""

    async def answer(self, message: dict[str, Any]) -> None:
        match message:
            case {"echo": text}:
                details = {"text": text, "streaming": self.is_streaming}
                await self.send_event(Event("echo", json.dumps(details)), to="you")
            case {"raise": name}:
                raise errors[name]
            case {"stream": name}:
                await self.start_stream(sources[name](), source=name)
            case {"end": _}:
                await self.end_stream()


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serve_app(ProtocolRouter(websocket=Talk.serve, lifespan=Lifespan())) as url:
        yield url.replace("http", "ws", 1)


async def ask(socket: ClientConnection, **message: object) -> dict[str, Any]:
    """Send a message and return the next one that comes."""
    await socket.send(json.dumps(message))
    return await receive(socket)


async def receive(socket: ClientConnection) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(await socket.recv())
    return message


async def closing_code(socket: ClientConnection) -> int | None:
    """Return the code that the server closes with, after the messages before it."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def test_event_is_one_object_of_its_name_the_head_and_the_data(url: str) -> None:
    async with connect(url, proxy=None) as socket:
        assert await ask(socket, echo="é") == {
            "type": "echo",
            "to": "you",
            "text": "é",
            "streaming": False,
        }


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{", {"type": "bad_request", "message": "The message is not JSON."}),
        (
            "[]",
            {"type": "bad_request", "message": "The message is [], but it must be a JSON object."},
        ),
        ('{"raise": "refused"}', {"type": "not_now", "message": "Not now."}),
        (
            '{"raise": "limited"}',
            {
                "type": "rate_limited",
                "message": str(errors["limited"]),
            },
        ),
    ],
)
async def test_refused_message_gets_an_error_and_the_next_one_an_answer(
    url: str, text: str, error: dict[str, str]
) -> None:
    async with connect(url, proxy=None) as socket:
        await socket.send(text)
        assert await receive(socket) == {"type": "error", "error": error}
        assert (await ask(socket, echo="still here"))["text"] == "still here"


@pytest.mark.parametrize(
    ("message", "error_type", "code"),
    [
        (b"{}", "bad_request", 1003),
        (b"x" * 4097, "message_too_big", 1009),
        ('"' + "é" * 2048 + '"', "message_too_big", 1009),
    ],
)
async def test_message_out_of_bounds_closes(
    url: str, message: str | bytes, error_type: str, code: int
) -> None:
    async with connect(url, proxy=None) as socket:
        await socket.send(message)
        assert (await receive(socket))["error"]["type"] == error_type
        assert await closing_code(socket) == code


async def test_too_many_messages_close(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "_MESSAGES_PER_SECOND", 0)
    async with connect(url, proxy=None) as socket:
        for _ in range(conversation.MESSAGES_AT_ONCE):
            assert (await ask(socket, echo=""))["type"] == "echo"
        assert (await ask(socket, echo=""))["error"]["type"] == "too_many_messages"
        assert await closing_code(socket) == 1008


async def test_idle_connection_is_closed_but_not_while_it_streams(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    async def two() -> AsyncGenerator[Event]:
        yield Event("first", "{}")
        while not go_on.is_set():  # noqa: ASYNC110
            await asyncio.sleep(0)
        yield Event("last", "{}")

    monkeypatch.setitem(sources, "two", two)
    async with connect(url, proxy=None) as socket:
        assert (await ask(socket, stream="two"))["type"] == "first"
        monkeypatch.setattr(conversation, "_IDLE_SECONDS", 0.01)
        assert (await ask(socket, echo="busy"))["streaming"] is True
        go_on.set()
        assert await receive(socket) == {"type": "last", "source": "two"}
        assert (await receive(socket))["error"] == {
            "type": "idle",
            "message": "There was no message for 0.01 s.",
        }
        assert await closing_code(socket) == 1000


async def test_failure_is_reported_logged_and_closes(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> AsyncGenerator[Event]:
        yield Event("first", "{}")
        raise ZeroDivisionError

    monkeypatch.setitem(sources, "broken", broken)
    async with connect(url, proxy=None) as one, connect(url, proxy=None) as other:
        failed = {"type": "internal_error", "message": "The server failed."}
        assert (await ask(one, **{"raise": "broken"}))["error"] == failed
        assert await closing_code(one) == 1011
        assert (await ask(other, stream="broken"))["type"] == "first"
        assert (await receive(other))["error"] == failed
        assert await closing_code(other) == 1011
    failures = [record.exc_info[0] for record in caplog.records if record.exc_info]
    assert failures == [ZeroDivisionError] * 2


async def test_connection_stays_open_while_redis_is_down(
    url: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def unreachable() -> AsyncGenerator[Event]:
        yield Event("first", "{}")
        raise errors["redis"]

    settings.REDIS_URL = "redis://127.0.0.1:1"
    monkeypatch.setitem(sources, "redis", unreachable)
    async with connect(url, proxy=None) as socket:
        assert (await ask(socket, **{"raise": "redis"}))["error"]["type"] == "unavailable"
        assert (await ask(socket, stream="redis"))["type"] == "first"
        assert (await receive(socket))["error"]["type"] == "unavailable"
        assert (await ask(socket, echo=""))["type"] == "echo"
    assert caplog.messages.count("Redis is down: no route") == 2


class Client:
    """A client that sends some texts, and then nothing; it may be gone when it is answered."""

    def __init__(self, *texts: str, gone: bool = False) -> None:
        self.messages = [{"type": "websocket.receive", "text": text} for text in texts]
        self.gone = gone
        self.received = 0
        self.sent: list[Mapping[str, Any]] = []
        self.leaves = asyncio.Event()

    async def receive(self) -> Mapping[str, Any]:
        self.received += 1
        if self.messages:
            return self.messages.pop(0)
        await self.leaves.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: Mapping[str, Any]) -> None:
        if self.gone:
            self.leaves.set()
            raise OSError
        self.sent.append(message)

    async def talk(self) -> None:
        await Talk({}, self.receive, self.send).hold()


async def endless() -> AsyncGenerator[Event]:
    while True:
        await asyncio.sleep(0)
        yield Event("next", "{}")


@pytest.mark.parametrize("text", ["{", '{"stream": "endless"}'])
async def test_client_that_is_gone_is_no_error(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setitem(sources, "endless", endless)
    client = Client(text, gone=True)
    await client.talk()
    assert client.leaves.is_set()


@pytest.mark.parametrize(
    ("text", "received", "code"),
    [
        ("{}", conversation.MESSAGES_AT_ONCE + 1, 1008),
        ("\ud800" * (conversation.MAX_MESSAGE_BYTES + 1), 1, 1009),  # It cannot be encoded.
    ],
)
async def test_nothing_is_received_after_a_close(
    monkeypatch: pytest.MonkeyPatch, text: str, received: int, code: int
) -> None:
    monkeypatch.setattr(conversation, "_MESSAGES_PER_SECOND", 0)
    client = Client(*[text] * 100)
    await client.talk()
    assert client.received == received
    assert client.sent[-1] == {"type": "websocket.close", "code": code}


async def test_others_have_a_turn_after_each_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending to a client that reads quickly never waits."""
    turns: list[int] = []
    client = Client('{"stream": "replayed"}')

    async def replayed() -> AsyncGenerator[Event]:
        for number in range(100):
            asyncio.get_running_loop().call_soon(turns.append, number)
            yield Event("next", "{}")
            assert turns == list(range(number + 1))
        client.leaves.set()

    monkeypatch.setitem(sources, "replayed", replayed)
    await client.talk()
    assert len(client.sent) == 100


async def test_reader_that_does_not_read_stops_the_stream(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another client takes a thousand events, few are requested for this one."""
    produced = {"idle": 0, "busy": 0}
    closed = asyncio.Event()
    loop = asyncio.get_running_loop()

    def source(name: str) -> Source:
        async def events() -> AsyncGenerator[Event]:
            try:
                while True:
                    produced[name] += 1
                    yield Event("next", json.dumps({"text": "x" * 65_536}))
            finally:
                if name == "idle":
                    loop.call_soon_threadsafe(closed.set)

        return events

    for name in produced:
        monkeypatch.setitem(sources, name, source(name))
    async with connect(url, proxy=None, compression=None) as sleeper:
        await ask(sleeper, stream="idle")
        async with connect(url, proxy=None, compression=None) as reader:
            await ask(reader, stream="busy")
            for _ in range(1000):
                await reader.recv()
            reader.transport.abort()
        assert produced["busy"] >= 1000
        assert produced["idle"] < 500
        sleeper.transport.abort()
    await closed.wait()


async def test_stream_can_be_ended_and_another_one_started(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sources, "endless", endless)
    async with connect(url, proxy=None) as socket:
        for _ in range(2):
            assert (await ask(socket, stream="endless"))["type"] == "next"
            await socket.send('{"end": ""}')
            await socket.send('{"echo": "ended"}')
            while (message := await receive(socket))["type"] == "next":
                pass
            assert message["streaming"] is False


async def test_stop_of_the_server_is_reported_and_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sources, "endless", endless)
    client = Client('{"stream": "endless"}')
    holding = asyncio.create_task(client.talk())
    while not client.sent:  # noqa: ASYNC110
        await asyncio.sleep(0)
    stopping().set()
    await holding
    *_, farewell, close = client.sent
    assert json.loads(farewell["text"])["error"] == {
        "type": "stopping",
        "message": "The server is stopping.",
    }
    assert close == {"type": "websocket.close", "code": 1001}

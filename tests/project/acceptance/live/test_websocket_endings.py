"""What ends a WebSocket before its client does: readers that stop, failures, a stopping server."""

import asyncio
import json
import signal
import threading
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import pytest
from live import websocket
from live.websocket import RunsConversation
from onloop.asgi import conversation
from onloop.event import Event
from onloop.testing import serve_process, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import talk
from tests.acceptance.upstreams import Hanging, echo


class Endless:
    """Events without end; how many were asked for, and whether it is closed."""

    def __init__(self) -> None:
        self.produced = 0
        self.closed = threading.Event()

    async def __call__(self, run: str, count: int) -> AsyncGenerator[Event]:
        try:
            yield Event("start", '{"count": 1}')
            while True:
                self.produced += 1
                await asyncio.sleep(0)
                yield Event("result", json.dumps({"response": "x" * 65_536}))
        finally:
            self.closed.set()


async def test_reader_that_does_not_read_stops_the_reports(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    idle, busy = Endless(), Endless()
    sources = iter([idle, busy])
    monkeypatch.setattr(websocket, "publish_run", lambda run, count: next(sources)(run, count))
    async with talk(server, compression=None) as sleeper:
        await sleeper.start(1)
        async with talk(server, compression=None) as reader:
            await reader.start(1)
            for _ in range(1000):
                await reader.connection.recv()
            reader.connection.transport.abort()
        assert busy.produced >= 1000
        assert idle.produced < 500
        sleeper.connection.transport.abort()
    assert await asyncio.to_thread(idle.closed.wait, 30)


async def test_failure_of_the_server_is_logged_and_told(
    server: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(run: str, count: int) -> AsyncGenerator[Event]:
        yield Event("start", '{"count": 1}')
        raise ZeroDivisionError

    monkeypatch.setattr(websocket, "publish_run", broken)
    async with talk(server) as client:
        await client.start(1)
        assert (await client.hear())["error"] == {
            "type": "internal_error",
            "message": "The server failed.",
        }
        assert await client.close_code() == 1011
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [
        ZeroDivisionError
    ]


class Gone:
    """A client that asks, and has left when it is answered."""

    def __init__(self, *texts: str) -> None:
        self.messages = [{"type": "websocket.receive", "text": text} for text in texts]
        self.told = asyncio.Event()

    async def receive(self) -> Mapping[str, Any]:
        if self.messages:
            return self.messages.pop(0)
        await self.told.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.told.set()
        raise OSError


@pytest.mark.parametrize("text", ["{", '{"type": "start"}'])
async def test_client_that_is_gone_is_no_error(settings: Settings, text: str) -> None:
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        client = Gone(text)
        await RunsConversation({}, client.receive, client.send).hold()
    assert client.told.is_set()


class Flood:
    """A client that sends the same message without end, and reads what is sent to it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.received = 0
        self.sent: list[Mapping[str, Any]] = []

    async def receive(self) -> Mapping[str, Any]:
        self.received += 1
        return {"type": "websocket.receive", "text": self.text}

    async def send(self, message: Mapping[str, Any]) -> None:
        self.sent.append(message)


@pytest.mark.parametrize(
    ("text", "received", "code"),
    [
        ("{}", conversation.MESSAGES_AT_ONCE + 1, 1008),
        ("\ud800" * (conversation.MAX_MESSAGE_BYTES + 1), 1, 1009),  # Nothing that can be encoded.
    ],
)
async def test_nothing_is_received_after_a_close(
    monkeypatch: pytest.MonkeyPatch, text: str, received: int, code: int
) -> None:
    monkeypatch.setattr(conversation, "MESSAGES_PER_SECOND", 0)
    client = Flood(text)
    await RunsConversation({}, client.receive, client.send).hold()
    assert client.received == received
    assert client.sent[-1] == {"type": "websocket.close", "code": code}


async def test_others_have_a_turn_after_each_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sending to a client that reads quickly never waits."""
    turns: list[int] = []

    async def replayed(run: str, count: int) -> AsyncGenerator[Event]:
        for number in range(100):
            asyncio.get_running_loop().call_soon(turns.append, number)
            yield Event("result", "{}")
            assert turns == list(range(number + 1))

    monkeypatch.setattr(websocket, "publish_run", replayed)
    client = Gone('{"type": "start"}')
    sent: list[Mapping[str, Any]] = []

    async def send(message: Mapping[str, Any]) -> None:
        sent.append(message)
        if len(sent) == 100:
            client.told.set()

    await RunsConversation({}, client.receive, send).hold()
    assert len(sent) == 100


async def test_stop_of_the_server_is_told_to_every_connection() -> None:
    patient = ("--timeout-graceful-shutdown", "50")
    hanging = Hanging(5)
    async with serve_upstream(hanging) as upstream:
        environment = {"AGGREGATOR_UPSTREAM_URL": upstream.url, "LOG_LEVEL": "warning"}
        with serve_process(*patient, **environment) as (server, url):
            async with talk(url) as running, talk(url) as idle, talk(url) as following:
                run = await running.start(5)
                await following.say(type="follow", run=run)
                await hanging.all_in.wait()
                await following.hear()
                server.terminate()
                codes = {await client.close_code() for client in (running, idle, following)}
            await upstream.all_closed.wait()
            _, log = await asyncio.to_thread(server.communicate)

    assert codes <= {1001, 1012}
    assert log == ""
    assert server.returncode == -signal.SIGTERM

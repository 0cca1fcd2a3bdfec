"""Which application speaks which protocol."""

from typing import Any

import pytest
from pytest_django import Settings

from onloop.asgi.routing import ProtocolRouter, served_port


async def receive() -> Any:
    return {"type": "websocket.connect"}


async def test_unknown_protocol_is_an_error() -> None:
    async def send(message: Any) -> None:
        raise AssertionError(message)

    with pytest.raises(ValueError, match="No application speaks the protocol 'carrier-pigeon'"):
        await ProtocolRouter()({"type": "carrier-pigeon"}, receive, send)


async def test_websocket_without_application_is_closed() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await ProtocolRouter()({"type": "websocket"}, receive, send)

    assert sent == [{"type": "websocket.close"}]


async def test_each_protocol_has_its_application() -> None:
    spoken: list[str] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        spoken.append(scope["type"])

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await ProtocolRouter(http=application)({"type": "http"}, receive, send)

    assert spoken == ["http"]


async def test_port_that_is_served_is_the_one_that_clients_came_to(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        """Answer nothing."""

    async def send(message: Any) -> None:
        raise AssertionError(message)

    monkeypatch.setattr("onloop.asgi.routing._served_port", None)
    settings.PORT = 8000
    router = ProtocolRouter(http=application)
    ports = []
    for server in (None, ("127.0.0.1", 9000), ("/run/service.sock", None)):
        await router({"type": "http", "server": server}, receive, send)
        ports.append(served_port())

    assert ports == [8000, 9000, 9000]

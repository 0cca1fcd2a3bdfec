"""Which ASGI application speaks which protocol."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Concatenate

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.conf import settings

type Scope = dict[str, Any]
type Receive = Callable[[], Awaitable[Mapping[str, Any]]]
type Send = Callable[[Mapping[str, Any]], Awaitable[None]]
type Application = Callable[[Scope, Receive, Send], Awaitable[None]]
type View[**P] = Callable[Concatenate[HttpRequest, P], Coroutine[Any, Any, HttpResponseBase]]
"""An async view of Django."""


_served_port: int | None = None


def served_port() -> int:
    """Return the TCP port that clients of this process came to; before any came, `PORT`."""
    return _served_port or settings.PORT


class ProtocolRouter:
    """An ASGI application that hands each connection to the application of its protocol.

    A WebSocket without an application is refused.
    """

    def __init__(self, **applications: Application) -> None:
        self.applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            ValueError: no application speaks the protocol, as the ASGI specification asks.
        """
        global _served_port
        _, port = scope.get("server") or (None, None)
        _served_port = port or _served_port
        protocol = scope["type"]
        if application := self.applications.get(protocol):
            await application(scope, receive, send)
        elif protocol == "websocket":
            await refuse_websocket(receive, send)
        else:
            raise ValueError(f"No application speaks the protocol {protocol!r}.")


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Refuse a WebSocket before its handshake; the server answers with HTTP status 403.

    https://asgi.readthedocs.io/en/latest/specs/www.html#close-send-event
    """
    await receive()
    await send({"type": "websocket.close"})

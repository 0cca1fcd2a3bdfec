"""Which ASGI application serves a connection, and which of its routes."""

from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.conf import settings

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
            ValueError: no application serves the protocol, as the ASGI specification demands.
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


def set_route(scope: Scope, route: str) -> None:
    """Name the route of a connection for logs, metrics and traces, where it is observed."""
    if exchange := scope.get("exchange"):
        exchange.route = route

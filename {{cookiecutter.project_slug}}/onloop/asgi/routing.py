"""Dispatch of connections to ASGI applications, and the names of their routes."""

from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.conf import settings

_served_port: int | None = None


def served_port() -> int:
    """Return the TCP port of the last connection, or `settings.PORT` before the first one."""
    return _served_port or settings.PORT


class ProtocolRouter:
    """An ASGI application that passes each connection to the application for its protocol.

    A WebSocket is refused if there is no application for it.
    """

    def __init__(self, **applications: Application) -> None:
        self.applications = applications

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            ValueError: no application serves the protocol; the ASGI specification requires this.
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
    """Refuse a WebSocket before its handshake; the server answers with status 403.

    https://asgi.readthedocs.io/en/latest/specs/www.html#close-send-event
    """
    await receive()
    await send({"type": "websocket.close"})


def set_route(scope: Scope, route: str) -> None:
    """Name the route of a connection for logs, metrics and traces, if it is observed."""
    if exchange := scope.get("exchange"):
        exchange.route = route

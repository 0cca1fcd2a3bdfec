"""A request and its response as seen from outside: how it ended, and how long it took."""

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from onloop.asgi.types import Application, Receive, Scope, Send

_UNMATCHED = "unmatched"
_CLIENT_GONE = 499  # As in nginx's logs: the client disconnected before there was a response.
_SWITCHING_PROTOCOLS = 101

type Observer = Callable[[Exchange], None]


class Exchange:
    """One request or WebSocket, available to the application as `scope["exchange"]`.

    `route` is the pattern of its URL, set by the code that matches the URL. `seconds` is how long
    it took; a stream counts until its end. `status` is the status of the response: 500 if an
    exception prevented it, 499 if the client disconnected before it. `complete` is whether all of
    the response was sent.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.method = scope.get("method", "WEBSOCKET")
        self.route = _UNMATCHED
        self.status = 0
        self.complete = False
        self.seconds = 0.0
        self._headers: Iterable[tuple[bytes, bytes]] = ()
        self._sent = 0
        self._send = send
        self._start = perf_counter()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Send a message of the application to the server, and record what it reveals."""
        await self._send(message)
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                self._headers = message.get("headers", ())
            case "http.response.body" | "websocket.http.response.body":
                self.complete = not message.get("more_body", False) or self._is_all_sent(message)
            case "websocket.accept":
                self.status = _SWITCHING_PROTOCOLS
                self.complete = True
            case "websocket.close" if not self.status:
                self.status = 403
                self.complete = True

    def _is_all_sent(self, message: Mapping[str, Any]) -> bool:
        """Return whether `Content-Length` bytes are sent: the client may disconnect after them."""
        self._sent += len(message.get("body", b""))
        lengths = (int(value) for name, value in self._headers if name.lower() == b"content-length")
        return self._sent == next(lengths, None)

    def end(self, *, failed: bool) -> None:
        """Record that the application has returned, or `failed` with an exception."""
        self.seconds = perf_counter() - self._start
        self.status = self.status or (500 if failed else _CLIENT_GONE)
        self.complete |= failed


class ExchangeMiddleware:
    """ASGI middleware that calls `observers` with each exchange when it has ended."""

    def __init__(self, app: Application, *observers: Observer) -> None:
        self.app = app
        self.observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, and report it to the observers, even after an exception."""
        exchange = scope["exchange"] = Exchange(scope, send)
        failed = False
        try:
            await self.app(scope, receive, exchange.send)
        except Exception:
            failed = True
            raise
        finally:
            # Otherwise the server's objects and these refer to each other until the garbage is
            # collected.
            del scope["exchange"]
            exchange.end(failed=failed)
            for observer in self.observers:
                observer(exchange)

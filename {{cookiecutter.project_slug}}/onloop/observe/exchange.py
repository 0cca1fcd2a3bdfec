"""A request and its answer, as seen from outside: how it ended, and how long it took."""

from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any

from onloop.asgi.types import Application, Receive, Scope, Send

UNMATCHED = "unmatched"
CLIENT_GONE = 499  # As nginx logs it: the client has left before there was an answer.
SWITCHING_PROTOCOLS = 101

type Observer = Callable[[Exchange], None]


class Exchange:
    """One request or WebSocket. It is `scope["exchange"]` to those who handle it.

    `route` is the pattern of its URL: whoever matches the URL says which. `seconds` is how long it
    took, a stream to its end. `status` is what was answered, or 500 where there was an exception
    instead and 499 where the client did not wait. `complete` is whether all of the answer was sent.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.method = scope.get("method", "WEBSOCKET")
        self.route = UNMATCHED
        self.status = 0
        self.complete = False
        self.seconds = 0.0
        self._headers: Iterable[tuple[bytes, bytes]] = ()
        self._sent = 0
        self._send = send
        self._start = perf_counter()

    async def send(self, message: Mapping[str, Any]) -> None:
        """Pass a message of the application on to the server, and learn from it."""
        await self._send(message)
        match message["type"]:
            case "http.response.start" | "websocket.http.response.start":
                self.status = message["status"]
                self._headers = message.get("headers", ())
            case "http.response.body" | "websocket.http.response.body":
                self.complete = not message.get("more_body", False) or self._is_all_sent(message)
            case "websocket.accept":
                self.status = SWITCHING_PROTOCOLS
                self.complete = True
            case "websocket.close" if not self.status:
                self.status = 403
                self.complete = True

    def _is_all_sent(self, message: Mapping[str, Any]) -> bool:
        """Tell whether all that was announced is sent: a client may leave as soon as it has it."""
        self._sent += len(message.get("body", b""))
        lengths = (int(value) for name, value in self._headers if name.lower() == b"content-length")
        return self._sent == next(lengths, None)

    def end(self, *, failed: bool) -> None:
        """Note that the application is done."""
        self.seconds = perf_counter() - self._start
        self.status = self.status or (500 if failed else CLIENT_GONE)
        self.complete |= failed


class ExchangeMiddleware:
    """ASGI middleware: tells `observers` of each exchange when it has ended."""

    def __init__(self, app: Application, *observers: Observer) -> None:
        self.app = app
        self.observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = scope["exchange"] = Exchange(scope, send)
        failed = False
        try:
            await self.app(scope, receive, exchange.send)
        except Exception:
            failed = True
            raise
        finally:
            # Else the server's objects and these hold each other until the garbage is collected.
            del scope["exchange"]
            exchange.end(failed=failed)
            for observer in self.observers:
                observer(exchange)

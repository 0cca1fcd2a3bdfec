"""Load shedding: an overloaded server rejects requests immediately, and serves the rest well.

https://sre.google/sre-book/addressing-cascading-failures/
"""

from collections.abc import Mapping
from typing import Any

from onloop.asgi.bodies import body_length
from onloop.asgi.refusal import RequestRefusedError, serve_unless_refused
from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.conf import PROBES

_EXEMPT = {f"/{path}" for path in PROBES}
_RETRY_AFTER = b"1"


class LoadShedding:
    """ASGI middleware that answers 503 with `Retry-After` while `limit` requests are pending.

    A request is pending from the end of its body until its response starts. Clients that send
    slowly therefore do not count, and neither do open streams, idle connections or WebSockets.
    Probes are always served.
    """

    def __init__(self, app: Application, limit: int) -> None:
        self.app = app
        self.limit = limit
        self.pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or refuse it while too many requests are pending."""
        if scope["type"] != "http" or scope["path"] in _EXEMPT:
            await self.app(scope, receive, send)
            return
        if self.pending >= self.limit:
            await _overloaded().answer(send)
            return
        work = _Work(self, receive, send)
        try:
            if body_length(scope) == 0:
                work.begin()
                await self.app(scope, receive, work.send)
            else:
                await serve_unless_refused(self.app, scope, work.receive, work.send)
        finally:
            work.end()


class _Work:
    """One request, counted between `begin()` and `end()`."""

    def __init__(self, shedding: LoadShedding, receive: Receive, send: Send) -> None:
        self._shedding = shedding
        self._receive = receive
        self._send = send
        self._counts = False

    def begin(self) -> None:
        self._shedding.pending += 1
        self._counts = True

    def end(self) -> None:
        self._shedding.pending -= self._counts
        self._counts = False

    async def receive(self) -> Mapping[str, Any]:
        """Receive a message; the last one of the body makes the request pending.

        Raises:
            RequestRefusedError: the limit was reached while the body arrived.
        """
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            if self._shedding.pending >= self._shedding.limit:
                raise _overloaded()
            self.begin()
        return message

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.end()
        await self._send(message)


def _overloaded() -> RequestRefusedError:
    sentence = "The server is overloaded. Try again shortly."
    return RequestRefusedError(503, "overloaded", sentence, (b"retry-after", _RETRY_AFTER))

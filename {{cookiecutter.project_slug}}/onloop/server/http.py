"""HTTP/1.1 by uvicorn and httptools, with bounds on what a client may send and keep waiting.

This leans on the names by which uvicorn's protocol, its `RequestResponseCycle` (one request) and
the parser know each other. None of them has an underscore.
"""

import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from onloop.server.connection import CheckedProtocol

MAX_HEAD_BYTES = 64 * 1024
MAX_PIPELINED = 100


class HTTPProtocol(CheckedProtocol, HttpToolsProtocol):
    """One connection.

    A request line with its headers may have MAX_HEAD_BYTES, else the answer is 431. As much of
    chunk extensions or trailers closes the connection. A client that
    owes the rest of them is given up after one to two times CHECK_SECONDS, and so is one that
    owes the rest of a body after the answer. uvicorn's `--timeout-keep-alive` is for those that
    are silent between two requests, `onloop.asgi.bodies` for bodies that are awaited.
    """

    # uvicorn's `cycle` is the last request that was received; these came before and wait as well.
    _earlier: tuple[RequestResponseCycle, ...] = ()
    # Bytes of all reads with a part of the head that is being received, and of the first of them,
    # which may have begun with another message. In a body: of those without a byte of the body.
    _read = 0
    _first_read = 0
    _too_much = False
    _owing_since: Any = "no check"  # The request before, if the client owed something at a check.

    def data_received(self, data: bytes) -> None:
        scope = self.scope
        self._read += len(data)
        super().data_received(data)
        if self.cycle is not None and self.cycle.scope is self.scope:  # The head is complete.
            if not self.cycle.more_body:
                self._read = 0
            elif self._read > MAX_HEAD_BYTES + len(data):
                self.transport.close()
        elif self.scope is not scope:
            self._read = self._first_read = len(data)
        elif self._read - self._first_read > MAX_HEAD_BYTES:
            self._refuse_head()

    def on_body(self, body: bytes) -> None:
        self._read = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Begin the request, or let the parser stop at it.

        Raises:
            ValueError: the head is too large, or too many requests wait for their turn.
        """
        if self._read > MAX_HEAD_BYTES:
            fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
            self._too_much = len(self.url) + fields > MAX_HEAD_BYTES
            if self._too_much:
                raise ValueError
        if not self._is_idle():
            if len(self.pipeline) == MAX_PIPELINED:
                raise ValueError
            waiting = (cycle for cycle in self._earlier if not cycle.response_complete)
            self._earlier = (*waiting, self.cycle)
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser stopped at."""
        if self._too_much:
            self._refuse_head()
        else:
            self._refuse(400, "bad_request", msg)

    def _refuse_head(self) -> None:
        sentence = f"The request line and the headers are longer than {MAX_HEAD_BYTES} bytes."
        self._refuse(431, "headers_too_large", sentence)

    def _refuse(self, status: int, error_type: str, sentence: str) -> None:
        """Close the connection, and say why unless that would be in the middle of an answer."""
        if self._is_idle() and not self.transport.is_closing():
            body = json.dumps({"error": {"type": error_type, "message": sentence}}).encode()
            headers = [
                *self.server_state.default_headers,
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            lines = [b"%b: %b\r\n" % header for header in headers]
            self.transport.write(b"".join([STATUS_LINE[status], *lines, b"\r\n", body]))
        self.transport.close()

    def _is_idle(self) -> bool:
        """Return whether all requests that were received are answered."""
        return self.cycle is None or self.cycle.response_complete

    def check(self) -> None:
        super().check()
        if not self._is_idle() or self.timeout_keep_alive_task:
            self._owing_since = "no check"
        elif self._owing_since is not self.cycle:
            self._owing_since = self.cycle
        elif self._read:
            self._refuse(408, "timeout", "The headers did not come in time.")
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for cycle in self._earlier:
            cycle.disconnected = True
            cycle.message_event.set()

    def shutdown(self) -> None:
        super().shutdown()
        self.end_within_grace()

    def handle_websocket_upgrade(self) -> None:
        self._timer.cancel()
        super().handle_websocket_upgrade()

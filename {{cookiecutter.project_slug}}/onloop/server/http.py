"""HTTP/1.1 with uvicorn and httptools, with limits on what clients may send and keep waiting.

This relies on the names that uvicorn's protocol, its `RequestResponseCycle` (one request) and the
parser use for each other. None of them has an underscore.
"""

import json
from typing import Any

from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from onloop.server.connection import CheckedProtocol

_MAX_HEAD_BYTES = 64 * 1024
_MAX_PIPELINED = 100


class HTTPProtocol(CheckedProtocol, HttpToolsProtocol):
    """One connection.

    A request line and headers of more than `_MAX_HEAD_BYTES` are answered with 431. Chunk
    extensions or trailers of more than that close the connection. A client that does not send the
    rest of its headers is disconnected after 15 to 30 seconds, and so is one that does not send the
    rest of a body after the response. uvicorn's `--timeout-keep-alive` covers clients that are
    silent between two requests, and `onloop.asgi.bodies` covers bodies that the application awaits.
    """

    # uvicorn's `cycle` is the last request received; these were received earlier and wait as well.
    _earlier: tuple[RequestResponseCycle, ...] = ()
    # The bytes of all reads with a part of the head that is being received, and those of the first
    # one, which may start with another message. In a body: the bytes of reads without body data.
    _read = 0
    _first_read = 0
    _too_much = False
    # The previous request, if the client had not sent everything at the last check.
    _owing_since: Any = "no check"

    def data_received(self, data: bytes) -> None:
        """Parse received data, and refuse a head that is too large."""
        scope = self.scope
        self._read += len(data)
        super().data_received(data)
        if self.cycle is not None and self.cycle.scope is self.scope:  # The head is complete.
            if not self.cycle.more_body:
                self._read = 0
            elif self._read > _MAX_HEAD_BYTES + len(data):
                self.transport.close()
        elif self.scope is not scope:
            self._read = self._first_read = len(data)
        elif self._read - self._first_read > _MAX_HEAD_BYTES:
            self._refuse_head()

    def on_body(self, body: bytes) -> None:
        """Pass on a part of a body."""
        self._read = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """Start the request.

        Raises:
            ValueError: the head is too large, or too many requests are pipelined; this stops the
                parser.
        """
        if self._read > _MAX_HEAD_BYTES:
            fields = sum(len(name) + len(value) + 4 for name, value in self.headers)
            self._too_much = len(self.url) + fields > _MAX_HEAD_BYTES
            if self._too_much:
                raise ValueError
        if not self._is_idle():
            if len(self.pipeline) == _MAX_PIPELINED:
                raise ValueError
            waiting = (cycle for cycle in self._earlier if not cycle.response_complete)
            self._earlier = (*waiting, self.cycle)
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse the request at which the parser stopped."""
        if self._too_much:
            self._refuse_head()
        else:
            self._refuse(400, "bad_request", msg)

    def _refuse_head(self) -> None:
        sentence = f"The request line and the headers are longer than {_MAX_HEAD_BYTES} bytes."
        self._refuse(431, "headers_too_large", sentence)

    def _refuse(self, status: int, error_type: str, sentence: str) -> None:
        """Close the connection, after an error response unless another response is in progress."""
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
        """Return whether all requests received have been answered."""
        return self.cycle is None or self.cycle.response_complete

    def check(self) -> None:
        """Disconnect a peer that does not read, or does not send the rest of its request."""
        super().check()
        if not self._is_idle() or self.timeout_keep_alive_task:
            self._owing_since = "no check"
        elif self._owing_since is not self.cycle:
            self._owing_since = self.cycle
        elif self._read:
            self._refuse(408, "timeout", "The headers did not arrive in time.")
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Notify every waiting request, not only the last one, that the client has disconnected."""
        super().connection_lost(exc)
        for cycle in self._earlier:
            cycle.disconnected = True
            cycle.message_event.set()

    def shutdown(self) -> None:
        """Close the connection when its requests are answered, or when the grace period ends."""
        super().shutdown()
        self.end_within_grace()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to the WebSocket protocol, which has its own checks."""
        self._timer.cancel()
        super().handle_websocket_upgrade()

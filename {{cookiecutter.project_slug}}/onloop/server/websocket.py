"""WebSockets with uvicorn and websockets, with limits on what a client may send.

This relies on the names that the parts of uvicorn's protocol and of websockets' sans-I/O connection
(`conn`) use for each other. None of them has an underscore.
"""

import asyncio
from contextvars import Context
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Close
from websockets.http11 import Request

from onloop.server.connection import CheckedProtocol

_FRAMES_PER_SECOND = 1000
_BURST_SECONDS = 1.0
PART_BYTES = 4096  # At most 682 frames, which take some milliseconds.
_CLOSE_SECONDS = 2.0


class WebSocketProtocol(CheckedProtocol, WebSocketsSansIOProtocol):
    """One connection.

    Received data is parsed in parts of `PART_BYTES`. The next part is parsed when the application
    has received the messages of the last one, and no faster than `_FRAMES_PER_SECOND` in the long
    run, including pings and empty frames. Until then nothing more is read. A client has
    `_CLOSE_SECONDS` to answer a close frame.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = _CLOSE_SECONDS
        self._unparsed = bytearray()
        self._throttle: asyncio.TimerHandle | None = None
        # The time at which a client that sends _FRAMES_PER_SECOND would have sent this many.
        self._free_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Store received data, and parse what may be parsed now."""
        if self.conn.parser_exc is None:
            self._unparsed += data
            self._parse()

    def _parse(self) -> None:
        """Parse what may be parsed now, and resume reading if nothing is left."""
        self._stop_throttle()
        while self._unparsed and self._is_wanted():
            now = self.loop.time()
            early = self._free_at - _BURST_SECONDS - now
            if early > 0:
                self._throttle = self.loop.call_later(early, self._parse)
                break
            part = bytes(self._unparsed[:PART_BYTES])
            del self._unparsed[:PART_BYTES]
            self.conn.receive_data(part)
            self._free_at = max(self._free_at, now) + len(self.conn.events) / _FRAMES_PER_SECOND
            if self.conn.parser_exc is None:
                self.handle_events()
            else:
                self._unparsed.clear()
                self.handle_parser_exception()
        if self._unparsed:
            self.read_paused = True
            self.transport.pause_reading()
        elif self.read_paused and self._is_wanted():
            self.read_paused = False
            self.transport.resume_reading()

    def _is_wanted(self) -> bool:
        """Return whether the application, or the closing handshake, waits for more."""
        return (self.queue.empty() or self.close_sent) and not self.transport.is_closing()

    def _stop_throttle(self) -> None:
        if self._throttle:
            self._throttle.cancel()
            self._throttle = None

    async def receive(self) -> Any:
        """Return the next message to the application, and parse more data."""
        message = await super().receive()
        if self._unparsed:
            self._parse()
        return message

    async def send(self, message: Any) -> None:
        """Send a message of the application, and parse more data if that is now possible."""
        await super().send(message)
        if self._unparsed:
            self._parse()

    def handle_connect(self, event: Request) -> None:
        """Start the application in a clean context, as `--reset-contextvars` does for HTTP."""
        Context().run(super().handle_connect, event)

    def handle_parser_exception(self) -> None:
        """Send a close frame with the reason, and close as `send()` does.

        uvicorn closes immediately. A client that is still sending would then see the connection
        reset, often without a close frame.
        """
        close = cast(Close, self.conn.close_sent)
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": close.code, "reason": close.reason}
        )
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(self.close_timeout, self.transport.close)

    def shutdown(self) -> None:
        """Send a close frame, and disconnect a client that has not read it in the grace period."""
        # uvicorn would send a close frame even after the client's, and its own shutdown would then
        # fail with InvalidState.
        if not self.transport.is_closing():
            super().shutdown()
        self.end_within_grace()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop parsing."""
        self._stop_throttle()
        super().connection_lost(exc)

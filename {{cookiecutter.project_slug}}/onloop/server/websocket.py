"""WebSockets by uvicorn and websockets, with bounds on what a client may send.

This leans on the names by which the parts of uvicorn's protocol and of websockets' sans-I/O
connection (`conn`) know each other. None of them has an underscore.
"""

import asyncio
from contextvars import Context
from typing import Any, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Close
from websockets.http11 import Request

from onloop.server.connection import CheckedProtocol

FRAMES_PER_SECOND = 1000
BURST_SECONDS = 1.0
PART_BYTES = 4096  # 682 frames at most: some milliseconds.
CLOSE_SECONDS = 2.0


class WebSocketProtocol(CheckedProtocol, WebSocketsSansIOProtocol):
    """One connection.

    What comes is parsed in parts of PART_BYTES, the next one when the application has taken the
    messages of the last one, and never more than FRAMES_PER_SECOND in the long run, which counts
    pings and empty frames as well. Until then nothing more is read. A client that does not answer
    a close frame is waited for CLOSE_SECONDS.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.close_timeout = CLOSE_SECONDS
        self._unparsed = bytearray()
        self._throttle: asyncio.TimerHandle | None = None
        self._free_at = 0.0  # When a client that sends FRAMES_PER_SECOND would have sent as many.

    def data_received(self, data: bytes) -> None:
        if self.conn.parser_exc is None:
            self._unparsed += data
            self._parse()

    def _parse(self) -> None:
        """Parse what may be parsed now, and read on when that is all."""
        self._stop_throttle()
        while self._unparsed and self._is_wanted():
            now = self.loop.time()
            early = self._free_at - BURST_SECONDS - now
            if early > 0:
                self._throttle = self.loop.call_later(early, self._parse)
                break
            part = bytes(self._unparsed[:PART_BYTES])
            del self._unparsed[:PART_BYTES]
            self.conn.receive_data(part)
            self._free_at = max(self._free_at, now) + len(self.conn.events) / FRAMES_PER_SECOND
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
        """Return whether the application, or the end of the connection, waits for more."""
        return (self.queue.empty() or self.close_sent) and not self.transport.is_closing()

    def _stop_throttle(self) -> None:
        if self._throttle:
            self._throttle.cancel()
            self._throttle = None

    async def receive(self) -> Any:
        message = await super().receive()
        if self._unparsed:
            self._parse()
        return message

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self._unparsed:
            self._parse()

    def handle_connect(self, event: Request) -> None:
        # Begins the application's task: as with --reset-contextvars for HTTP.
        Context().run(super().handle_connect, event)

    def handle_parser_exception(self) -> None:
        """Send why, and close as `send()` does.

        uvicorn closes at once. A client that is still sending then finds the connection reset, and
        often no close frame.
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
        # uvicorn would send a close frame after that of the client, which ends its own shutdown
        # with InvalidState.
        if not self.transport.is_closing():
            super().shutdown()
        self.end_within_grace()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_throttle()
        super().connection_lost(exc)

"""Connections that are looked at now and then, and given up where the peer does not read."""

import asyncio
import socket
import struct
from typing import cast

from uvicorn import Config

CHECK_SECONDS = 15.0
MIN_BYTES = 16 * 1024
KERNEL_BYTES = 64 * 1024


class CheckedProtocol(asyncio.Protocol):
    """A mixin in front of one of uvicorn's protocols.

    A peer that does not read is given up: while there is something to send, it has to take
    MIN_BYTES or all of it in CHECK_SECONDS. One timer for each connection sees to that, so a
    request costs nothing, and the peer has once or twice that time.
    """

    config: Config
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _timer: asyncio.TimerHandle
    _unsent: int | None = None  # At the last check, if there was something.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        show_what_is_read(cast(asyncio.Transport, transport))
        self._timer = self.loop.call_later(CHECK_SECONDS, self._check_again)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _check_again(self) -> None:
        self._timer = self.loop.call_later(CHECK_SECONDS, self._check_again)
        self.check()

    def check(self) -> None:
        """Give up a peer that does not read."""
        unsent = self.transport.get_write_buffer_size()
        if self._unsent is not None and self._unsent - unsent < MIN_BYTES:
            reset(self.transport)
            return
        if unsent and self._unsent is None:
            # From now on nothing is written until all of this is sent, and then `resume_writing`
            # is called: what becomes of it cannot be mistaken for what comes after it.
            self.transport.set_write_buffer_limits(high=0)
        self._unsent = unsent or None

    def end_within_grace(self) -> None:
        """Give up what is unsent when the server stops to wait for it.

        uvloop would wait: a loop with something unsent is never closed, and the process goes on.
        """
        grace = self.config.timeout_graceful_shutdown
        if grace is not None:
            self._timer.cancel()
            self._timer = self.loop.call_later(grace, self._give_up_unsent)

    def _give_up_unsent(self) -> None:
        if self.transport.get_write_buffer_size():
            reset(self.transport)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unsent is not None:
            self._unsent = None
            self.transport.set_write_buffer_limits()


def reset(transport: asyncio.Transport) -> None:
    """End a connection at once, and with it what the kernel would still keep for the peer."""
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def show_what_is_read(transport: asyncio.Transport) -> None:
    """Let the kernel hold little that is not sent yet, so that a slow reader is seen to read.

    Else it takes megabytes at once, and then nothing until the reader has taken a third of them.
    """
    peer = transport.get_extra_info("socket")
    if peer.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, KERNEL_BYTES)

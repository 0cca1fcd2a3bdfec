"""Connections that are checked regularly, and closed if the peer does not read."""

import asyncio
import socket
import struct
from typing import cast

from uvicorn import Config

_CHECK_SECONDS = 15.0
_MIN_BYTES = 16 * 1024
_KERNEL_BYTES = 64 * 1024


class CheckedProtocol(asyncio.Protocol):
    """A mixin to put in front of one of uvicorn's protocols.

    A peer that does not read is disconnected: while there is data to send, it must accept
    `_MIN_BYTES`, or all of the data, per `_CHECK_SECONDS`. A timer for each connection checks this,
    at no cost per request. The peer therefore has between one and two times `_CHECK_SECONDS`.
    """

    config: Config
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    _timer: asyncio.TimerHandle
    _unsent: int | None = None  # Bytes at the last check, if there were any.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the regular checks."""
        super().connection_made(transport)
        show_what_is_read(cast(asyncio.Transport, transport))
        self._timer = self.loop.call_later(_CHECK_SECONDS, self._check_again)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the regular checks."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _check_again(self) -> None:
        self._timer = self.loop.call_later(_CHECK_SECONDS, self._check_again)
        self.check()

    def check(self) -> None:
        """Disconnect a peer that does not read."""
        unsent = self.transport.get_write_buffer_size()
        if self._unsent is not None and self._unsent - unsent < _MIN_BYTES:
            reset(self.transport)
            return
        if unsent and self._unsent is None:
            # From now on nothing is written until all of this is sent, and then `resume_writing`
            # is called, so this data cannot be confused with later data.
            self.transport.set_write_buffer_limits(high=0)
        self._unsent = unsent or None

    def end_within_grace(self) -> None:
        """Disconnect a peer that still has not read everything when the grace period ends.

        uvloop would wait: it never closes a loop with unsent data, so the process would not exit.
        """
        grace = self.config.timeout_graceful_shutdown
        if grace is not None:
            self._timer.cancel()
            self._timer = self.loop.call_later(grace, self._give_up_unsent)

    def _give_up_unsent(self) -> None:
        if self.transport.get_write_buffer_size():
            reset(self.transport)

    def resume_writing(self) -> None:
        """Note that all data is sent, and restore the limits of the write buffer."""
        super().resume_writing()
        if self._unsent is not None:
            self._unsent = None
            self.transport.set_write_buffer_limits()


def reset(transport: asyncio.Transport) -> None:
    """Reset a connection immediately, and discard data that the kernel still holds for the peer."""
    linger = struct.pack("ii", 1, 0)
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def show_what_is_read(transport: asyncio.Transport) -> None:
    """Limit the unsent data that the kernel holds, so that a slow reader can be seen to read.

    Otherwise the kernel accepts megabytes at first, and then nothing until the reader has read a
    third of them.
    """
    peer = transport.get_extra_info("socket")
    if peer.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, "TCP_NOTSENT_LOWAT"):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _KERNEL_BYTES)

"""Bounds on calls: how many at a time, and how many bytes of bodies together."""

import asyncio

from onloop.http.errors import PoolTimeoutError, QuotaExceededError

MAX_CONNECTIONS = 1_000


class Connections(asyncio.Semaphore):
    """The places for calls of one client: `MAX_CONNECTIONS` at a time, first come, first served.

    Calls wait here, so no transport's pool ever queues: that wait would count as the server's time,
    and httpcore loses a place in its pool for each call that is cancelled meanwhile
    (https://github.com/encode/httpcore/issues/1093).
    """

    def __init__(self) -> None:
        super().__init__(MAX_CONNECTIONS)

    async def acquire_within(self, seconds: float) -> None:
        """Acquire a place.

        Raises:
            PoolTimeoutError: none was free in time.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.acquire()
        except TimeoutError as error:
            raise PoolTimeoutError(f"No connection was free within {seconds:g} s.") from error


class BodyQuota:
    """The bytes that the bodies of several calls may have together; failed calls do not count."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes

    def take(self, count: int) -> None:
        """Take the bytes that a call has read.

        Raises:
            QuotaExceededError: there were fewer left.
        """
        self._left -= count
        if self._left < 0:
            message = f"The answers of all calls are larger than {self._max_bytes} bytes together."
            raise QuotaExceededError(message)

    def give_back(self, count: int) -> None:
        """Return the bytes of a call that failed after it had taken them."""
        self._left += count

"""Limits on calls: on how many run at a time, and on the total size of their bodies."""

import asyncio

from onloop.http.errors import PoolTimeoutError, QuotaExceededError

MAX_CONNECTIONS = 1_000


class Connections(asyncio.Semaphore):
    """The slots for one client's calls: `MAX_CONNECTIONS` at a time, first come, first served.

    Calls wait here, so that they never queue in a transport's pool. That wait would count as the
    server's time, and httpcore loses a slot of its pool for each call that is cancelled in the
    queue (https://github.com/encode/httpcore/issues/1093).
    """

    def __init__(self) -> None:
        super().__init__(MAX_CONNECTIONS)

    async def acquire_within(self, seconds: float) -> None:
        """Acquire a slot.

        Raises:
            PoolTimeoutError: none became free within `seconds`.
        """
        try:
            async with asyncio.timeout(seconds):
                await self.acquire()
        except TimeoutError as error:
            raise PoolTimeoutError(f"No connection was free within {seconds:g} s.") from error


class BodyQuota:
    """The total size, in bytes, that the bodies of several calls may have.

    Failed calls do not count.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._left = max_bytes

    def take(self, count: int) -> None:
        """Count `count` bytes that a call has read.

        Raises:
            QuotaExceededError: fewer were left.
        """
        self._left -= count
        if self._left < 0:
            message = f"The answers of all calls are larger than {self._max_bytes} bytes together."
            raise QuotaExceededError(message)

    def give_back(self, count: int) -> None:
        """Return the bytes of a call that failed after it had taken them."""
        self._left += count

"""A limit on the total size of the bodies of several calls."""

from onloop.http.exceptions import QuotaExceeded


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
            QuotaExceeded: fewer were left.
        """
        self._left -= count
        if self._left < 0:
            message = f"The answers of all calls are larger than {self._max_bytes} bytes together."
            raise QuotaExceeded(message)

    def give_back(self, count: int) -> None:
        """Return the bytes of a call that failed after it had taken them."""
        self._left += count

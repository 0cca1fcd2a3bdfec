"""Token buckets: limits that allow a burst, and a rate or a share in the long run."""

from time import monotonic


class TokenBucket:
    """Holds at most `capacity` tokens, taken one at a time; starts `full` or empty."""

    def __init__(self, capacity: int, *, full: bool) -> None:
        self._capacity = capacity
        self._tokens = float(capacity) if full else 0.0

    def put(self, tokens: float) -> None:
        """Add tokens, or a fraction of one; those beyond the capacity are discarded."""
        self._tokens = min(self._tokens + tokens, self._capacity)

    def take(self) -> bool:
        """Take one token, and return whether there was one."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class RefilledBucket(TokenBucket):
    """A token bucket that starts full and gains `per_second` tokens each second."""

    def __init__(self, capacity: int, *, per_second: float) -> None:
        super().__init__(capacity, full=True)
        self._per_second = per_second
        self._refilled = monotonic()

    def take(self) -> bool:
        """Take one token, and return whether there was one."""
        now = monotonic()
        self.put((now - self._refilled) * self._per_second)
        self._refilled = now
        return super().take()

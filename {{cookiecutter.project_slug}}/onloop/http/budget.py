"""A limit on extra calls, as a share of all calls, so that they never overload a failing server."""

from onloop.token_bucket import TokenBucket


class Budget(TokenBucket):
    """A token bucket: each call adds `ratio` of a token, and each extra call takes one.

    The extra calls are thus at most `ratio` of all calls, plus `burst` if the bucket started
    `full`. `withdrawn` counts them.

    As in gRPC's retry throttling:
    https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
    """

    def __init__(self, ratio: float, burst: int, *, full: bool) -> None:
        super().__init__(burst, full=full)
        self._ratio = ratio
        self.withdrawn = 0

    def deposit(self) -> None:
        """Count one call."""
        self.put(self._ratio)

    def withdraw(self) -> bool:
        """Return whether another extra call is allowed, and count it if so."""
        allowed = self.take()
        self.withdrawn += allowed
        return allowed

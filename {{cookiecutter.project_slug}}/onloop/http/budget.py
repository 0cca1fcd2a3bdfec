"""Extra calls, as a share of all calls: a server in trouble gets little more than it had."""

from onloop.token_bucket import TokenBucket


class Budget(TokenBucket):
    """A token bucket: each call puts `ratio` of a token in, each extra call takes one out.

    So there are no more extra calls than `ratio` of all calls, and `burst` more where it started
    `full`. `withdrawn` counts the extra calls.

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
        """Return whether one more extra call is allowed, and count it if so."""
        allowed = self.take()
        self.withdrawn += allowed
        return allowed

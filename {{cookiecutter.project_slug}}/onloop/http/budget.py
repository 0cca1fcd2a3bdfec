"""Extra calls, as a share of all calls: a server in trouble gets little more than it had."""


class Budget:
    """A token bucket: each call puts ``ratio`` of a token in, each extra call takes one out.

    It holds ``burst`` tokens at most, and starts with them where it starts ``full``. So there are
    no more extra calls than ``ratio`` of all calls, and ``burst`` more where it started full.
    ``withdrawn`` counts the extra calls.

    As in gRPC's retry throttling:
    https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
    """

    def __init__(self, ratio: float, burst: int, *, full: bool) -> None:
        self._ratio = ratio
        self._burst = burst
        self._tokens = float(burst) if full else 0.0
        self.withdrawn = 0

    def deposit(self) -> None:
        """Count one call."""
        if self._tokens < self._burst:
            self._tokens += self._ratio

    def withdraw(self) -> bool:
        """Say whether one more extra call is allowed, and count it if so."""
        if self._tokens < 1:
            return False
        self._tokens -= 1
        self.withdrawn += 1
        return True

"""How long calls to other servers take, for Prometheus."""

from functools import cache

from prometheus_client import Histogram

from onloop.http.errors import HTTPClientError
from onloop.observe.metrics import SECONDS

MAX_ORIGINS = 100

UPSTREAM_SECONDS = Histogram(
    "upstream_call_duration_seconds",
    "Time of one attempt of a call to another server, with its wait for a connection.",
    ("origin", "outcome"),
    buckets=SECONDS,
)

_origins: set[str] = set()


class CallDurations:
    """How long the calls to one server took, by outcome: `ok`, `cancelled`, or the error's type.

    Servers beyond the first `MAX_ORIGINS` are measured as one, `other`.
    """

    def __init__(self, origin: str) -> None:
        if len(_origins) < MAX_ORIGINS:
            _origins.add(origin)
        self._origin = origin if origin in _origins else "other"
        self._seconds = cache(self._histogram)

    def measure(self, seconds: float, error: BaseException | None) -> None:
        """Add a call that took this long and ended with this error, or without one."""
        if error is None:
            outcome = "ok"
        else:
            outcome = error.type if isinstance(error, HTTPClientError) else "cancelled"
        self._seconds(outcome).observe(seconds)

    def _histogram(self, outcome: str) -> Histogram:
        return UPSTREAM_SECONDS.labels(self._origin, outcome)

"""The durations of calls to upstreams, for Prometheus. Imported only where `METRICS` is on."""

from functools import cache

from prometheus_client import Histogram

from onloop.http._httpx import HTTPError, Response
from onloop.http.exceptions import BAD_RESPONSE, error_type
from onloop.observe.metrics import SECONDS

_UPSTREAM_SECONDS = Histogram(
    "upstream_call_duration_seconds",
    "Duration of one attempt of a call, without the wait for a connection.",
    ("upstream", "outcome"),
    buckets=SECONDS,
)


class CallDurations:
    """The durations of the attempts of one upstream, by outcome.

    An outcome is `ok`, `bad_response` (also a status of 400 or more), `cancelled`, or the error's
    type.
    """

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._seconds = cache(self._histogram)

    def __call__(self, seconds: float, outcome: BaseException | Response | None) -> None:
        """Record an attempt that took this many seconds; `None`: it succeeded."""
        if outcome is None or (isinstance(outcome, Response) and not outcome.is_error):
            name = "ok"
        elif isinstance(outcome, Response):
            name = BAD_RESPONSE
        else:
            name = error_type(outcome) if isinstance(outcome, HTTPError) else "cancelled"
        self._seconds(name).observe(seconds)

    def _histogram(self, outcome: str) -> Histogram:
        return _UPSTREAM_SECONDS.labels(self._upstream, outcome)

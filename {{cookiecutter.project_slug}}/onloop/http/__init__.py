"""Calls to other services: upstreams, and calls to many of them at once."""

from onloop.http.breaker import Breaker
from onloop.http.cache import Cache
from onloop.http.deadline import deadline, time_left
from onloop.http.exceptions import (
    BodyTooLarge,
    BulkheadFull,
    CircuitOpenError,
    DeadlineExceeded,
    DNSError,
    ForeignURLError,
    QuotaExceeded,
    RateLimitExceeded,
    describe,
    error_type,
)
from onloop.http.fan_out import Arrival, fan_out
from onloop.http.gather import gather
from onloop.http.json_body import fetch_json
from onloop.http.loop_wire import shared_http_client
from onloop.http.quota import BodyQuota
from onloop.http.stack import Figures
from onloop.http.upstream import Upstream, upstreams

__all__ = [
    "Arrival",
    "BodyQuota",
    "BodyTooLarge",
    "Breaker",
    "BulkheadFull",
    "Cache",
    "CircuitOpenError",
    "DNSError",
    "DeadlineExceeded",
    "Figures",
    "ForeignURLError",
    "QuotaExceeded",
    "RateLimitExceeded",
    "Upstream",
    "deadline",
    "describe",
    "error_type",
    "fan_out",
    "fetch_json",
    "gather",
    "shared_http_client",
    "time_left",
    "upstreams",
]

"""Calls to other servers: one client per event loop, and calls that survive passing failures."""

from onloop.http.client import Client, http_client, shared_http_client
from onloop.http.errors import (
    BadResponseError,
    BrokenAnswerError,
    CallTimeoutError,
    CircuitOpenError,
    ConnectError,
    DeadlineExceededError,
    DNSError,
    HTTPClientError,
    PoolTimeoutError,
    QuotaExceededError,
    describe,
)
from onloop.http.limits import BodyQuota
from onloop.http.origins import Origin, origin_of

__all__ = [
    "BadResponseError",
    "BodyQuota",
    "BrokenAnswerError",
    "CallTimeoutError",
    "CircuitOpenError",
    "Client",
    "ConnectError",
    "DNSError",
    "DeadlineExceededError",
    "HTTPClientError",
    "Origin",
    "PoolTimeoutError",
    "QuotaExceededError",
    "describe",
    "http_client",
    "origin_of",
    "shared_http_client",
]

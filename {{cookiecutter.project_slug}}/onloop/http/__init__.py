"""Calls to other servers: one client per event loop, and calls that survive transient failures."""

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
from onloop.http.fan_out import Arrival, fan_out
from onloop.http.json_body import fetch_json
from onloop.http.limits import BodyQuota
from onloop.http.origins import Origin, origin_of

__all__ = [
    "Arrival",
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
    "fan_out",
    "fetch_json",
    "http_client",
    "origin_of",
    "shared_http_client",
]

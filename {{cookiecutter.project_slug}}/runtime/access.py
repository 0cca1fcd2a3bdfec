"""The access log: one line for each request when it has ended."""

import logging

import structlog

from runtime.exchange import Exchange

NAME = "runtime.access"
QUIET_ROUTES = {"healthz", "readyz", "metrics"}  # Asked every few seconds, by machines.

_log = structlog.stdlib.get_logger(NAME)
_logger = logging.getLogger(NAME)


def log_access(exchange: Exchange) -> None:
    """Log an exchange that has ended; `client_gone` where the client left before its end."""
    level = logging.DEBUG if exchange.route in QUIET_ROUTES else logging.INFO
    if not _logger.isEnabledFor(level):
        return
    left = {} if exchange.complete else {"client_gone": True}
    _log.log(
        level,
        "request",
        method=exchange.method,
        route=exchange.route,
        status=exchange.status,
        seconds=round(exchange.seconds, 4),
        **left,
    )

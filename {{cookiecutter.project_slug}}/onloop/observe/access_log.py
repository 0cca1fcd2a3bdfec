"""The access log: one line for each request when it has ended."""

import logging

from onloop.observe.exchange import Exchange

QUIET_ROUTES = {"healthz", "readyz", "metrics"}  # Asked every few seconds, by machines.

logger = logging.getLogger(__name__)


def log_access(exchange: Exchange) -> None:
    """Log an exchange that has ended; `client_gone` where the client left before its end."""
    level = logging.DEBUG if exchange.route in QUIET_ROUTES else logging.INFO
    if not logger.isEnabledFor(level):
        return
    fields = {
        "event": "request",
        "method": exchange.method,
        "route": exchange.route,
        "status": exchange.status,
        "seconds": round(exchange.seconds, 4),
    }
    if not exchange.complete:
        fields["client_gone"] = True
    logger.log(level, fields)

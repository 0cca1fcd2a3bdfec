"""The access log: one line per request or WebSocket, written when it ends."""

import logging

from onloop.conf import PROBES
from onloop.observe.exchange import Exchange

logger = logging.getLogger(__name__)


def log_access(exchange: Exchange) -> None:
    """Log an exchange that has ended, with `client_gone` if the client disconnected before that."""
    level = logging.DEBUG if exchange.route in PROBES else logging.INFO
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

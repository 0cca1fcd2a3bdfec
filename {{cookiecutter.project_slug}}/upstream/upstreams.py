"""The services that this project calls, one declaration each. See docs/upstreams.md."""

from django.conf import settings

from onloop.asgi import served_port
from onloop.http import Upstream


def aggregated_url() -> str:
    """Return `settings.AGGREGATOR_UPSTREAM_URL` or, if it is empty, our own sync API."""
    return settings.AGGREGATOR_UPSTREAM_URL or f"http://127.0.0.1:{served_port()}/sync/api/"


aggregated = Upstream(
    "aggregated",
    base_url=aggregated_url,
    timeout=settings.AGGREGATOR_TIMEOUT,
    max_connections=1000,
    max_bytes=settings.AGGREGATOR_MAX_RESPONSE_BYTES,
)

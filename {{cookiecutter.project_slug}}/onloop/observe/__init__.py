"""Observability of each request and WebSocket: plain ASGI middleware on the event loop."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from onloop.asgi.shedding import LoadShedding
from onloop.asgi.types import Application
from onloop.conf import settings
from onloop.observe.access_log import log_access
from onloop.observe.correlation import Correlation, outgoing_headers
from onloop.observe.exchange import ExchangeMiddleware

__all__ = ["observed", "outgoing_headers", "telemetry"]


def observed(app: Application) -> Application:
    """Wrap `app` in request ids, traces, the access log, metrics and load shedding.

    Traces, metrics and load shedding depend on the settings.
    """
    if settings.MAX_PENDING_REQUESTS:
        app = LoadShedding(app, settings.MAX_PENDING_REQUESTS)
    if settings.METRICS:
        # prometheus_client takes 10 ms to import.
        from onloop.observe.metrics import InFlight, measure_request

        app = InFlight(ExchangeMiddleware(app, log_access, measure_request))
    else:
        app = ExchangeMiddleware(app, log_access)
    if settings.TRACING:
        # OpenTelemetry is an extra, so it may not be installed.
        from onloop.observe.tracing import traced, tracer_provider

        app = traced(app, tracer_provider())
    return Correlation(app)


@asynccontextmanager
async def telemetry() -> AsyncIterator[None]:
    """Run the background parts of `observed()`. A resource of the ASGI lifespan."""
    async with AsyncExitStack() as stack:
        if settings.TRACING:
            from onloop.observe.tracing import spans_exported

            await stack.enter_async_context(spans_exported())
        if settings.METRICS:
            from onloop.observe.metrics import event_loop_lag_measured

            await stack.enter_async_context(event_loop_lag_measured())
        yield

"""OpenTelemetry: one trace over a request and its upstream calls (`onloop.http.spans`).

This needs the extra `otel`, and is on if `OTEL_EXPORTER_OTLP_ENDPOINT` names a collector (OTLP over
HTTP). The other variables of the SDK work as well:
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import cache
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.conf import PROBES, settings
from onloop.observe._structlog import bind_contextvars
from onloop.observe.correlation import ANSWERS

_NOT_TRACED = ",".join(f"/{path}$" for path in PROBES)


@cache
def tracer_provider() -> TracerProvider:
    """Start exporting spans, and return their provider."""
    os.environ.setdefault("OTEL_SERVICE_NAME", settings.SITE_NAME)
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http")
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


def traced(app: Application, provider: TracerProvider) -> Application:
    """Return `app` with a span for each request, recorded on the event loop."""
    middleware = OpenTelemetryMiddleware(
        _named(app),
        tracer_provider=provider,
        excluded_urls=_NOT_TRACED,
        exclude_spans=["receive", "send"],
        default_span_details=lambda scope: (scope.get("method", "WEBSOCKET"), {}),
    )
    return cast("Application", middleware)


def _named(app: Application) -> Application:
    """Return `app` with its span named after the route and the span's trace in its log lines.

    https://opentelemetry.io/docs/specs/semconv/http/http-spans/#name
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        span = trace.get_current_span()
        if (context := span.get_span_context()).is_valid:
            bind_contextvars(trace_id=trace.format_trace_id(context.trace_id))

        async def send_named(message: Mapping[str, Any]) -> None:
            if message["type"] in ANSWERS:
                exchange = scope["exchange"]
                span.update_name(f"{exchange.method} {exchange.route}")
                span.set_attribute("http.route", exchange.route)
            await send(message)

        await app(scope, receive, send_named)

    return application


@asynccontextmanager
async def spans_exported() -> AsyncIterator[None]:
    """Send the remaining spans when the server stops. A resource of the ASGI lifespan."""
    yield
    await asyncio.to_thread(tracer_provider().shutdown)

"""A span for each attempt of a call, by the upstream's name. Imported only where `TRACING` is on.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/#http-client-span
"""

from opentelemetry.propagate import inject
from opentelemetry.trace import Span, SpanKind, StatusCode

from onloop.http._httpx import AsyncBaseTransport, HTTPError, Request, Response
from onloop.http.exceptions import error_type
from onloop.observe.correlation import passing_on
from onloop.observe.tracing import tracer_provider

_PORTS = {"http": 80, "https": 443}


class SpanTransport(AsyncBaseTransport):
    """Records a span for each attempt, and passes it on, so that both sides have one trace.

    A span has no header, no query and no credentials.
    """

    def __init__(self, next_: AsyncBaseTransport, upstream: str) -> None:
        self._next = next_
        self._upstream = upstream
        self._tracer = tracer_provider().get_tracer(__name__)

    async def handle_async_request(self, request: Request) -> Response:
        """Send a request."""
        url = request.url.copy_with(query=None, fragment=None, userinfo=b"")
        headers: dict[str, str] = {}
        with self._tracer.start_as_current_span(
            f"{request.method} {self._upstream}",
            kind=SpanKind.CLIENT,
            attributes={
                "http.request.method": request.method,
                "peer.service": self._upstream,
                "server.address": url.host,
                "server.port": url.port or _PORTS[url.scheme],
                "url.full": str(url),
            },
            record_exception=False,  # Its text may hold the URL with its query.
            set_status_on_exception=False,
        ) as span:
            inject(headers)
            try:
                with passing_on(headers):
                    response = await self._next.handle_async_request(request)
            except HTTPError as error:
                _fail(span, error_type(error))
                raise
            span.set_attribute("http.response.status_code", response.status_code)
            if response.is_error:
                _fail(span, str(response.status_code))
            return response


def _fail(span: Span, reason: str) -> None:
    span.set_attribute("error.type", reason)
    span.set_status(StatusCode.ERROR)

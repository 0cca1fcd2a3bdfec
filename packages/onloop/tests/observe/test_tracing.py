"""One trace over a request and its upstream calls, as a collector receives it."""

import asyncio
import contextlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.http import shared_http_client
from onloop.observe import observed, telemetry
from onloop.observe.tracing import tracer_provider
from onloop.testing import Call, serve_app, serve_upstream
from tests.http.calls import broken, closed_port
from tests.observe.urls import called
from tests.observe.written import written

FAN_OUT = 3
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"


class Collector:
    """What an OpenTelemetry collector has received by OTLP over HTTP."""

    def __init__(self) -> None:
        self.url = ""
        self.services: set[str] = set()
        self.spans: list[Span] = []

    def receive(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {item.key: item.value.string_value for item in group.resource.attributes}
            self.services.add(attributes["service.name"])
            self.spans += (span for scope in group.scope_spans for span in scope.spans)

    def of_kind(self, kind: Any) -> list[Span]:
        return [span for span in self.spans if span.kind == kind]


def attributes(span: Span) -> dict[str, Any]:
    """The attributes of a span that are texts or numbers."""
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            collector.receive(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def served(
    collector: Collector, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], AbstractContextManager[str]]]:
    """Serve the project with tracing, in the environment as it is then."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    for name in ("OTEL_SERVICE_NAME", "OTEL_SEMCONV_STABILITY_OPT_IN"):  # `tracing` sets them.
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    settings.ROOT_URLCONF = "tests.observe.urls"
    settings.TRACING = True
    called.forget()  # It has the spans of the previous test.

    def serve() -> AbstractContextManager[str]:
        lifespan = Lifespan(telemetry, shared_http_client)
        return serve_app(ProtocolRouter(http=observed(EventLoopASGIHandler()), lifespan=lifespan))

    yield serve
    tracer_provider.cache_clear()


def request(url: str, **headers: str) -> int:
    """Return the status of `GET url`, from a client that is not traced itself."""
    with urlopen(Request(url, headers=headers), timeout=60) as response:  # noqa: S310
        return int(response.status)


async def test_view_and_upstream_calls_are_one_trace(
    collector: Collector,
    served: Callable[[], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
    wire: str,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    lines = io.StringIO()

    async def answer(call: Call) -> None:
        await call.reply()

    async with serve_upstream(answer) as upstream:
        query = urlencode({"url": f"{upstream.url}?key=secret"})
        with written(lines, "json", "INFO"), served() as url:
            await asyncio.to_thread(request, f"{url}/healthz")
            status = await asyncio.to_thread(
                request,
                f"{url}/calls/{FAN_OUT}/?{query}",
                traceparent=f"00-{TRACE_ID}-{PARENT_ID}-01",
            )

    assert status == 200
    assert collector.services == {"shop"}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE_ID}
    (view,) = collector.of_kind(Span.SPAN_KIND_SERVER)
    calls = collector.of_kind(Span.SPAN_KIND_CLIENT)
    assert (view.name, view.parent_span_id.hex()) == ("GET calls/<int:count>/", PARENT_ID)
    assert [call.parent_span_id for call in calls] == [view.span_id] * FAN_OUT
    told = {call.headers["traceparent"] for call in upstream.calls}
    assert told == {f"00-{TRACE_ID}-{call.span_id.hex()}-01" for call in calls}
    entries = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert {entry.get("trace_id") for entry in entries if "request_id" in entry} == {TRACE_ID}
    assert {call.name for call in calls} == {"GET called"}
    assert {attributes(call)["http.response.status_code"] for call in calls} == {200}
    assert "secret" not in str(calls)
    assert "hunter2" not in str(calls)  # The token of the upstream.


async def test_failed_calls_are_failed_spans(
    collector: Collector,
    served: Callable[[], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    dead = f"http://127.0.0.1:{closed_port()}/"
    async with serve_upstream(broken) as upstream:
        with written(io.StringIO(), "json", "INFO"), served() as url:
            for failing in (upstream.url, dead):
                query = urlencode({"url": failing})
                with contextlib.suppress(HTTPError):
                    await asyncio.to_thread(request, f"{url}/calls/1/?{query}")

    calls = collector.of_kind(Span.SPAN_KIND_CLIENT)
    assert {call.status.code for call in calls} == {Status.STATUS_CODE_ERROR}
    reasons = [attributes(call)["error.type"] for call in calls]
    assert set(reasons) == {"500", "connect_error"}


def test_trace_begins_here_where_the_caller_has_none(
    collector: Collector,
    served: Callable[[], AbstractContextManager[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    lines = io.StringIO()
    with written(lines, "json", "INFO"), served() as url:
        request(f"{url}/healthz")
        with pytest.raises(HTTPError, match="404") as missing:
            request(f"{url}/none")
        missing.value.close()

    (span,) = collector.spans
    (line,) = [
        json.loads(line)
        for line in lines.getvalue().splitlines()
        if '"onloop.observe.access_log"' in line
    ]
    assert span.name == "GET unmatched"
    assert line["trace_id"] == span.trace_id.hex()

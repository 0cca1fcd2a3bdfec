"""One trace over a request and its upstream calls, as a collector receives it."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from onloop.testing import Call, fetch, serve_process, serve_upstream

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


@pytest.mark.parametrize("transport", ["aiohttp", "httpx"])
async def test_view_and_upstream_calls_are_one_trace(collector: Collector, transport: str) -> None:
    async def answer(call: Call) -> None:
        await call.reply()

    async with serve_upstream(answer) as upstream:
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_SERVICE_NAME": "shop",
            "HTTP_TRANSPORT": transport,
        }
        app = "tests.http.calling:application"
        with serve_process(app=app, **environment) as (server, url):
            async with httpx.AsyncClient(timeout=60) as client:
                await client.get(f"{url}/healthz")
                response = await client.get(
                    f"{url}/calls/{FAN_OUT}/",
                    params={"url": f"{upstream.url}?key=secret"},
                    headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"},
                )
            server.terminate()
            _, log = server.communicate()

    assert response.status_code == 200
    assert collector.services == {"shop"}
    assert {span.trace_id.hex() for span in collector.spans} == {TRACE_ID}
    (view,) = collector.of_kind(Span.SPAN_KIND_SERVER)
    calls = collector.of_kind(Span.SPAN_KIND_CLIENT)
    assert (view.name, view.parent_span_id.hex()) == ("GET calls/<int:count>/", PARENT_ID)
    assert [call.parent_span_id for call in calls] == [view.span_id] * FAN_OUT
    told = {call.headers["traceparent"] for call in upstream.calls}
    assert told == {f"00-{TRACE_ID}-{call.span_id.hex()}-01" for call in calls}
    lines = [json.loads(line) for line in log.splitlines()]
    assert {line.get("trace_id") for line in lines if "request_id" in line} == {TRACE_ID}
    assert "secret" not in str(calls)


def test_trace_begins_here_where_the_caller_has_none(collector: Collector) -> None:
    environment = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces"}
    with serve_process(**environment, LOG_FORMAT="json") as (server, url):
        fetch(f"{url}/healthz")
        fetch(f"{url}/none")
        server.terminate()
        _, log = server.communicate()

    (span,) = collector.spans
    (line,) = [
        json.loads(line) for line in log.splitlines() if '"onloop.observe.access_log"' in line
    ]
    assert span.name == "GET unmatched"
    assert line["trace_id"] == span.trace_id.hex()

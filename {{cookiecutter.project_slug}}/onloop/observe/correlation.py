"""What ties the log lines, the answer and the upstream calls of one request together.

Its id travels as `X-Request-ID`. The trace of the caller travels as `traceparent` and `tracestate`:
a service that records no spans passes them on as they are, and no trace is broken.
`onloop.observe.tracing` puts spans of this service in between.

https://www.w3.org/TR/trace-context/#design-overview
"""

import asyncio
import re
from collections.abc import Mapping, MutableMapping
from contextvars import Context, ContextVar
from secrets import token_hex
from typing import Any

from structlog.contextvars import bind_contextvars, clear_contextvars

from onloop.asgi.threads import caller_has_chosen, request_thread
from onloop.asgi.types import Application, Receive, Scope, Send

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=+/@-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_TRACESTATE = re.compile(rb"[\t -~]{1,512}")
ANSWERS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}

_outgoing: ContextVar[Mapping[str, str]] = ContextVar("outgoing_headers")
_nothing: Mapping[str, str] = {}


def outgoing_headers() -> Mapping[str, str]:
    """Return the headers that tell an upstream on behalf of which request it is called."""
    return _outgoing.get(_nothing)


class Correlation:
    """ASGI middleware: gives each request and each WebSocket an id, and keeps its trace.

    The id is the caller's `X-Request-ID` where it is one, else a new one. It stands in every log
    line of the request, in the answer, and in `outgoing_headers()`.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if request_thread() and not caller_has_chosen():
            # A request that was sent early, on a connection in use, inherits the context of the
            # last: its language, its user, whatever its code has set.
            await asyncio.create_task(self(scope, receive, send), context=Context())
            return
        received = _headers(scope)
        request_id = received.get(b"x-request-id", b"")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = token_hex(16).encode()
        outgoing = {"X-Request-ID": request_id.decode(), **trace_headers(received)}
        _outgoing.set(outgoing)
        clear_contextvars()
        bind_contextvars(request_id=outgoing["X-Request-ID"])
        if "traceparent" in outgoing:
            bind_contextvars(trace_id=outgoing["traceparent"].split("-")[1])

        async def send_with_id(message: Mapping[str, Any]) -> None:
            if message["type"] in ANSWERS:
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_with_id)


def trace_headers(received: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the valid `traceparent`, and the `tracestate` with it, or nothing.

    Of a later version only what version 00 has is known, and is passed on as version 00.
    """
    parent = received.get(b"traceparent", b"")
    state = received.get(b"tracestate", b"")
    match = _TRACEPARENT.match(parent)
    rest = parent[55:]
    if not match or (rest and (parent.startswith(b"00") or not rest.startswith(b"-"))):
        return {}
    headers = {"traceparent": "00" + match[0][2:].decode()}
    if _TRACESTATE.fullmatch(state):
        headers["tracestate"] = state.decode()
    return headers


def _headers(scope: Scope) -> Mapping[bytes, bytes]:
    """The request's headers; those that came more than once are joined (RFC 9110, section 5.2)."""
    headers: MutableMapping[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers

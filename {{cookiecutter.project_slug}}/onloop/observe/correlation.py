"""Correlation of the log lines, the response and the upstream calls of one request.

The request's id is passed on as `X-Request-ID`, and the client's trace as `traceparent` and
`tracestate`. A service that records no spans passes these on unchanged, so that no trace is broken;
`onloop.observe.tracing` adds the spans of this service.

https://www.w3.org/TR/trace-context/#design-overview
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import Context, ContextVar
from secrets import token_hex
from typing import Any

from onloop.asgi.threads import caller_has_chosen, request_thread
from onloop.asgi.types import Application, Receive, Scope, Send
from onloop.conf import settings
from onloop.observe._structlog import bind_contextvars, clear_contextvars

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:=+/@-]{1,128}")
_TRACEPARENT = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
)
_TRACESTATE = re.compile(rb"[\t -~]{1,512}")
ANSWERS = {"http.response.start", "websocket.accept", "websocket.http.response.start"}

_outgoing: ContextVar[Mapping[str, str]] = ContextVar("outgoing_headers")
_nothing: Mapping[str, str] = {}


def outgoing_headers() -> Mapping[str, str]:
    """Return the headers of an upstream call that identify the current request and its trace."""
    return _outgoing.get(_nothing)


def identified_context() -> Context:
    """Return a new context with the ids and the trace of the current request, and nothing else.

    For work that several requests share, and that may outlive the one that started it.
    """
    context = Context()
    if headers := outgoing_headers():
        context.run(_identify, headers)
    if settings.TRACING:
        from opentelemetry.context import attach, get_current

        context.run(attach, get_current())
    return context


@contextmanager
def passing_on(trace: Mapping[str, str]) -> Iterator[None]:
    """Have the upstream calls of a block pass on this trace instead of the client's."""
    token = _outgoing.set({**outgoing_headers(), **trace})
    try:
        yield
    finally:
        _outgoing.reset(token)


class Correlation:
    """ASGI middleware that gives each request and WebSocket an id, and keeps its trace.

    The id is the client's `X-Request-ID` if that is valid, otherwise a new one. It appears in every
    log line of the request, in the response, and in `outgoing_headers()`.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection with its id and trace, in a clean context."""
        if request_thread() and not caller_has_chosen():
            # A pipelined request inherits the context of the previous one: its language, its user,
            # and anything else that its code has set.
            await asyncio.create_task(self(scope, receive, send), context=Context())
            return
        received = _headers(scope)
        request_id = received.get(b"x-request-id", b"")
        if not _REQUEST_ID.fullmatch(request_id):
            request_id = token_hex(16).encode()
        clear_contextvars()
        _identify({"X-Request-ID": request_id.decode(), **trace_headers(received)})

        async def send_with_id(message: Mapping[str, Any]) -> None:
            if message["type"] in ANSWERS:
                headers = [*message.get("headers", ()), (b"x-request-id", request_id)]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_with_id)


def _identify(outgoing: Mapping[str, str]) -> None:
    """Give the current context these ids."""
    _outgoing.set(outgoing)
    bind_contextvars(request_id=outgoing["X-Request-ID"])
    if "traceparent" in outgoing:
        bind_contextvars(trace_id=outgoing["traceparent"].split("-")[1])


def trace_headers(received: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return a valid `traceparent` with its `tracestate`, or nothing.

    A later version of `traceparent` is passed on as version 00, with the fields of that version.
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
    """Return the request's headers; repeated ones are joined (RFC 9110, section 5.2)."""
    headers: MutableMapping[bytes, bytes] = {}
    for name, value in scope["headers"]:
        headers[name] = headers[name] + b"," + value if name in headers else value
    return headers

"""Limits on how large a request body may be and how slowly it may arrive."""

import asyncio
from collections.abc import Mapping
from typing import Any

from onloop.asgi.refusal import RequestRefusedError, serve_unless_refused
from onloop.asgi.types import Application, Receive, Scope, Send

_BODY_SECONDS = 30.0
_MIN_BYTES_PER_SECOND = 32 * 1024


class BodyLimits:
    """ASGI middleware that answers 413 to a body over `max_bytes`, and 408 to a slow one.

    The server waits for a body for `_BODY_SECONDS` in total, plus one second for each
    `_MIN_BYTES_PER_SECOND` bytes received. The application sees a refused client as disconnected.
    """

    def __init__(self, app: Application, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection; only an HTTP request with a body is limited."""
        if scope["type"] != "http" or (length := body_length(scope)) == 0:
            await self.app(scope, receive, send)
        elif length is not None and length > self.max_bytes:
            await self._too_large(receive).answer(send)
        else:
            await serve_unless_refused(self.app, scope, self._bounded(receive), send)

    def _bounded(self, receive: Receive) -> Receive:
        """Return a `receive` that raises `RequestRefusedError` when the body exceeds a limit."""
        loop = asyncio.get_running_loop()
        size, waited, more = 0, 0.0, True

        async def receive_within_bounds() -> Mapping[str, Any]:
            nonlocal size, waited, more
            if not more:
                return await receive()
            allowed = _BODY_SECONDS + size / _MIN_BYTES_PER_SECOND
            began = loop.time()
            try:
                async with asyncio.timeout(allowed - waited):
                    message = await receive()
            except TimeoutError as error:
                sentence = f"The body did not arrive within {allowed:.0f} s."
                raise RequestRefusedError(408, "timeout", sentence, rest=receive) from error
            waited += loop.time() - began
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
            if size > self.max_bytes:
                raise self._too_large(receive)
            return message

        return receive_within_bounds

    def _too_large(self, rest: Receive) -> RequestRefusedError:
        sentence = f"The body is longer than {self.max_bytes} bytes."
        return RequestRefusedError(413, "body_too_large", sentence, rest=rest)


def body_length(scope: Scope) -> int | None:
    """Return the length of a request's body, or `None` if it is not announced.

    https://www.rfc-editor.org/rfc/rfc9112#section-6.3
    """
    length: int | None = 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value)
        elif name == b"transfer-encoding":
            return None
    return length

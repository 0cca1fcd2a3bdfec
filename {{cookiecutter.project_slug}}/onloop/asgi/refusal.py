"""Requests that are refused before or while the application reads them."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from onloop.asgi.types import Application, Receive, Scope, Send

_LINGER_SECONDS = 2.0


class RequestRefusedError(Exception):
    """A request that is not served, with the status and the error that the client gets.

    `rest` receives the rest of the request's body. With it the connection is closed, but only after
    the body has ended, the client has disconnected, or `_LINGER_SECONDS` have passed: a client that
    is still sending would get a connection reset instead of the answer.
    """

    def __init__(
        self,
        status: int,
        error_type: str,
        message: str,
        *headers: tuple[bytes, bytes],
        rest: Receive | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"type": error_type, "message": message}
        self.headers = headers
        self.rest = rest

    async def answer(self, send: Send) -> None:
        """Send the answer, then read and discard the rest of the body."""
        body = json.dumps({"error": self.error}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *self.headers,
        ]
        if self.rest:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": bool(self.rest)})
        if self.rest:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LINGER_SECONDS):
                    while (await self.rest()).get("more_body"):
                        pass
            await send({"type": "http.response.body"})


async def serve_unless_refused(
    app: Application, scope: Scope, receive: Receive, send: Send
) -> None:
    """Serve a request with `app`; `receive` may raise `RequestRefusedError`.

    If it does, `app` sees a disconnected client, and the client gets the error as its answer unless
    `app` has already started one.
    """
    refused: RequestRefusedError | None = None
    begun = False

    async def receive_or_leave() -> Mapping[str, Any]:
        nonlocal refused
        if not refused:
            try:
                return await receive()
            except RequestRefusedError as error:
                refused = error
        return {"type": "http.disconnect"}

    async def send_unless_refused(message: Mapping[str, Any]) -> None:
        nonlocal begun
        if not refused:
            begun = True
            await send(message)

    await app(scope, receive_or_leave, send_unless_refused)
    if refused and not begun:
        await refused.answer(send)

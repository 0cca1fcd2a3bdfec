"""Load shedding: a server with more work than it can do says so at once, and does the rest well.

https://sre.google/sre-book/addressing-cascading-failures/
"""

import json
from collections.abc import Mapping
from typing import Any

from runtime.protocols import Application, Receive, Scope, Send

EXEMPT = {"/healthz", "/readyz", "/metrics"}
RETRY_AFTER = b"1"
OVERLOADED = json.dumps(
    {"error": {"type": "overloaded", "message": "The server has too much to do at the moment."}}
).encode()


class LoadShedding:
    """ASGI middleware: answers 503 with `Retry-After` while `limit` requests are in work.

    A request is in work until its answer begins. So open streams do not count, nor do idle
    connections and WebSockets. What orchestrators ask is always answered.
    """

    def __init__(self, app: Application, limit: int) -> None:
        self.app = app
        self.limit = limit
        self._in_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in EXEMPT:
            await self.app(scope, receive, send)
            return
        if self._in_work >= self.limit:
            await refuse(send)
            return
        self._in_work += 1
        in_work = True

        def done() -> None:
            nonlocal in_work
            self._in_work -= in_work
            in_work = False

        async def send_and_count(message: Mapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                done()
            await send(message)

        try:
            await self.app(scope, receive, send_and_count)
        finally:
            done()


async def refuse(send: Send) -> None:
    """Answer that there is too much to do."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(OVERLOADED)).encode()),
        (b"retry-after", RETRY_AFTER),
    ]
    await send({"type": "http.response.start", "status": 503, "headers": headers})
    await send({"type": "http.response.body", "body": OVERLOADED})

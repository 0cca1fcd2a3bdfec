"""What lies between the tests and the handler: an ASGI exchange without a server."""

import asyncio
from collections.abc import Mapping
from contextvars import Context
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, TypedDict, Unpack

import pytest

from onloop.asgi.types import Application, Scope


@dataclass
class Answer:
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()


class Request(TypedDict, total=False):
    method: str
    headers: Mapping[str, str]
    body: bytes
    scheme: str


class Exchange:
    """One request. Its context is as empty as a server's, whatever the test's own holds."""

    def __init__(
        self,
        app: Application,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        scheme: str = "http",
    ) -> None:
        self.answer = Answer()
        self.chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": body})
        url, _, query = path.partition("?")
        headers = {"host": "testserver", "content-length": str(len(body)), **(headers or {})}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": scheme,
            "path": url,
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "server": ("testserver", 443 if scheme == "https" else 80),
            "client": ("127.0.0.1", 50000),
        }
        self.task = asyncio.create_task(self.run(app, scope), context=Context())

    async def run(self, app: Application, scope: Scope) -> None:
        await app(scope, self.incoming.get, self.send)

    async def send(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = [(k.decode(), v.decode()) for k, v in message["headers"]]
        else:
            self.answer.body += message.get("body", b"")
            self.chunks.put_nowait(message.get("body", b""))

    async def chunk(self) -> bytes:
        """The next part of the body, as soon as it is sent."""
        part = asyncio.create_task(self.chunks.get())
        await asyncio.wait([part, self.task], timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert part.done(), self.task
        return part.result()

    def disconnect(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})


def access_log(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """The fields of each line of the access log."""
    messages: list[Any] = [r.msg for r in caplog.records if r.name == "onloop.observe.access_log"]
    return messages


async def ask(app: Application, path: str, **request: Unpack[Request]) -> Answer:
    exchange = Exchange(app, path, **request)
    await asyncio.wait_for(exchange.task, 20)
    return exchange.answer


class Browser:
    """Asks one application several times, and keeps the cookies."""

    def __init__(self, app: Application) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}
        self.answers: list[Answer] = []

    async def ask(self, path: str, **request: Unpack[Request]) -> Answer:
        headers = dict(request.get("headers", {}))
        if cookies := "; ".join(f"{k}={v}" for k, v in self.cookies.items()):
            headers.setdefault("cookie", cookies)
        request["headers"] = headers
        answer = await ask(self.app, path, **request)
        self.answers.append(answer)
        for name, value in answer.headers:
            if name == "Set-Cookie":
                for cookie in SimpleCookie(value).values():
                    self.cookies[cookie.key] = cookie.coded_value
                    if cookie["max-age"] == "0" or cookie["max-age"] == 0:
                        del self.cookies[cookie.key]
        return answer

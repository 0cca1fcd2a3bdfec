"""A server with too much to do says so at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from websockets.asyncio.client import connect

from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.asgi.shedding import LoadShedding
from onloop.asgi.types import Receive, Scope, Send
from onloop.testing import TLS, serve_app

LIMIT = 3


class Service:
    """`/work` and `/broken` last until `go_on()`, `/stream` begins at once and lasts as long.

    A body is read first.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.body_begun = 0
        self.left = 0
        self.loop: asyncio.AbstractEventLoop | None = None
        self.end = asyncio.Event()

    def go_on(self) -> None:
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self.end.set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        if scope.get("method") == "POST":
            while (message := await receive()).get("more_body"):
                self.body_begun += 1
            if message["type"] == "http.disconnect":
                self.left += 1
                return
        self.begun += 1
        match scope["path"]:
            case "/work":
                await self.end.wait()
            case "/broken":
                await self.end.wait()
                raise RuntimeError("broken")
            case "/chat":
                await receive()
                await send({"type": "websocket.accept"})
                await self.end.wait()
                await send({"type": "websocket.close"})
                return
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["path"] == "/stream":
            await self.end.wait()
        await send({"type": "http.response.body"})


@pytest.fixture
def service() -> Service:
    return Service()


@asynccontextmanager
async def asking(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service behind a limit of three."""
    app = LoadShedding(service, LIMIT)
    with serve_app(ProtocolRouter(http=app, websocket=app, lifespan=Lifespan())) as url:
        async with httpx.AsyncClient(
            base_url=url, timeout=60, trust_env=False, verify=TLS
        ) as client:
            try:
                yield client
            finally:
                service.go_on()


async def begun(service: Service, count: int, what: str = "begun") -> None:
    """Wait until the service has begun to work on `count` requests."""
    async with asyncio.timeout(30):
        while getattr(service, what) < count:  # noqa: ASYNC110 - it runs in another event loop
            await asyncio.sleep(0.001)


async def test_request_beyond_the_limit_is_answered_at_once(service: Service) -> None:
    async with asking(service) as client:
        working = [asyncio.create_task(client.get("/work")) for _ in range(LIMIT)]
        await begun(service, LIMIT)
        refused = await client.get("/work")
        exempt = [(await client.get(path)).status_code for path in ("/healthz", "/metrics")]
        assert not any(task.done() for task in working)
        service.go_on()
        answers = await asyncio.gather(*working)
        afterwards = await client.get("/work")

    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "1"
    assert refused.json()["error"] == {
        "type": "overloaded",
        "message": "The server is overloaded. Try again shortly.",
    }
    assert exempt == [200, 200]
    assert [answer.status_code for answer in answers] == [200] * LIMIT
    assert afterwards.status_code == 200


async def test_open_streams_and_websockets_do_not_count(service: Service) -> None:
    async with asking(service) as client:
        streams = [client.stream("GET", "/stream") for _ in range(2 * LIMIT)]
        opened = [await stream.__aenter__() for stream in streams]
        url = str(client.base_url).replace("http", "ws")
        chats = [await connect(f"{url}/chat") for _ in range(2 * LIMIT)]
        answer = await client.get("/short")
        service.go_on()
        for stream in streams:
            await stream.__aexit__(None, None, None)
        for chat in chats:
            await chat.wait_closed()

    assert {stream.status_code for stream in opened} == {200}
    assert answer.status_code == 200


async def test_failed_requests_count_no_more(service: Service) -> None:
    async with asking(service) as client:
        broken = [asyncio.create_task(client.get("/broken")) for _ in range(LIMIT)]
        await begun(service, LIMIT)
        service.go_on()
        failed = await asyncio.gather(*broken)
        answer = await client.get("/work")

    assert {response.status_code for response in failed} == {500}
    assert answer.status_code == 200


class Upload:
    """The body of a request that ends when it is told to."""

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"begin"
        await self.end.wait()
        yield b"end"


async def test_request_whose_body_is_awaited_does_not_count(service: Service) -> None:
    uploads = [Upload() for _ in range(2 * LIMIT)]
    async with asking(service) as client:
        slow = [asyncio.create_task(client.post("/work", content=upload)) for upload in uploads]
        await begun(service, 2 * LIMIT, "body_begun")
        answer = await client.get("/short")
        for upload in uploads:
            upload.end.set()
        refused: set[asyncio.Task[httpx.Response]] = set()
        pending = set(slow)
        while len(refused) < LIMIT:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            refused |= done
        service.go_on()
        answers = await asyncio.gather(*pending)

    assert answer.status_code == 200
    assert {request.result().status_code for request in refused} == {503}
    assert [answer.status_code for answer in answers] == [200] * LIMIT
    assert service.left == LIMIT

"""FastAPI as in its documentation; its two contenders differ only in the HTTP client."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from benchmarks.contenders import options

type Fetch = Callable[[str], Awaitable[object]]


def create_app(open_client: Callable[[], AbstractAsyncContextManager[Fetch]]) -> FastAPI:
    """An application that holds its client open; `Fetch` takes a URL and returns parsed JSON."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_client() as fetch:
            app.state.fetch = fetch
            yield

    app = FastAPI(lifespan=lifespan)

    @app.get("/hello/")
    async def hello() -> dict[str, str]:
        return {"message": "Hello World!"}

    @app.get("/events/")
    async def events() -> StreamingResponse:
        async def stream() -> AsyncIterator[bytes]:
            while True:
                yield b"data: tick\n\n"
                await asyncio.sleep(options.STREAM_INTERVAL)

        return StreamingResponse(stream(), media_type="text/event-stream")

    @app.get("/sync/api/")
    def api(task_id: str) -> dict[str, str]:
        time.sleep(options.SYNC_API_DELAY)
        return {"message": "Hello World!", "task_id": task_id}

    @app.get("/async/api_aggregated/")
    async def api_aggregated() -> dict[str, object]:
        start = time.perf_counter()
        responses = await asyncio.gather(*map(app.state.fetch, options.task_urls()))
        return {
            "responses": responses,
            "debug_message": options.debug_message(time.perf_counter() - start),
        }

    return app

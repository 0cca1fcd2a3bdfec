"""What SIGTERM does to a server with open streams."""

import asyncio
import signal
from contextlib import AsyncExitStack

import httpx

from onloop.testing import TLS, serve_process

STREAMS = 20


async def test_open_streams_end_with_their_last_words() -> None:
    patient = ("--timeout-graceful-shutdown", "50")
    app = "tests.asgi.streaming:application"
    with serve_process(*patient, app=app, LOG_LEVEL="warning") as (server, url):
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(httpx.AsyncClient(timeout=40, verify=TLS))
            responses = [
                await stack.enter_async_context(client.stream("GET", f"{url}/stream/"))
                for _ in range(STREAMS)
            ]
            bodies = [response.aiter_bytes() for response in responses]
            assert [await anext(body) for body in bodies] == [b"tick"] * STREAMS
            server.terminate()
            assert [await anext(body) for body in bodies] == [b"bye"] * STREAMS
            assert [[chunk async for chunk in body] for body in bodies] == [[]] * STREAMS
        _, log = await asyncio.to_thread(server.communicate)

    assert log == ""
    assert server.returncode == -signal.SIGTERM

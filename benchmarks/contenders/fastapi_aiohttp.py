"""FastAPI with one shared aiohttp session."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from benchmarks.contenders import options
from benchmarks.contenders.fastapi_app import Fetch, create_app

# As many as the rendered project allows by default.
CONNECTIONS = 1000


@asynccontextmanager
async def open_client() -> AsyncIterator[Fetch]:
    connector = TCPConnector(limit=CONNECTIONS)
    timeout = ClientTimeout(options.CALL_TIMEOUT)
    async with ClientSession(connector=connector, timeout=timeout) as session:

        async def fetch(url: str) -> object:
            async with session.get(url) as response:
                return await response.json()

        yield fetch


application = create_app(open_client)

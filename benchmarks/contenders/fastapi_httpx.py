"""FastAPI with one shared httpx client, its limits untouched.

With 1,000 connections instead of its own 100, httpx is slower at a fan-out of 10 and 100.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from benchmarks.contenders import options
from benchmarks.contenders.fastapi_app import Fetch, create_app


@asynccontextmanager
async def open_client() -> AsyncIterator[Fetch]:
    async with httpx.AsyncClient(timeout=options.CALL_TIMEOUT) as client:

        async def fetch(url: str) -> object:
            return (await client.get(url)).json()

        yield fetch


application = create_app(open_client)

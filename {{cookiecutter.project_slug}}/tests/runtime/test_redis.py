"""Redis whose connections go silent: nothing answers, nothing closes them, new ones work."""

import asyncio

import httpx

from tests.proxies import proxy_of
from tests.servers import serve_process

APP = "tests.runtime.redis_views:application"
PATHS = ("/client/", "/cache/", "/layer/")


async def test_connections_that_go_silent_are_replaced(redis_url: str) -> None:
    async with proxy_of(redis_url, 6379) as proxy:
        with serve_process(app=APP, REDIS_URL=proxy.url) as (_, url):
            async with httpx.AsyncClient(base_url=url, timeout=15) as client:
                await use_all(client)

                proxy.silence()
                await use_all(client)


async def use_all(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get(path) for path in PATHS))
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "hello")] * 3

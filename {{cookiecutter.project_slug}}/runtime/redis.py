"""The Redis that processes share, asked on the event loop.

Only the Redis of ``settings.REDIS_URL`` is meant here, and only short questions: one that is not
answered within a second fails, so that a request never waits long for a Redis that is away.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING

from django.conf import settings

from runtime.per_loop import OnePerLoop

if TYPE_CHECKING:
    from redis.asyncio import Redis

TIMEOUT_SECONDS = 1.0
MAX_CONNECTIONS = 50


@asynccontextmanager
async def _open_client() -> AsyncIterator[Redis]:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=MAX_CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        # Once more, at once: a connection that was kept may be lost though Redis is there.
        retry=Retry(NoBackoff(), 1),
    )
    client = Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()


_clients = OnePerLoop(_open_client)


def shared_redis() -> AbstractAsyncContextManager[None]:
    """Keep one client open on the running event loop, if there is a Redis.

    A resource of the ASGI lifespan.
    """
    return _clients.kept_open() if settings.REDIS_URL else nullcontext()


def redis_client() -> AbstractAsyncContextManager[Redis]:
    """A block with the client of the running event loop, or, without a lifespan, one of its own.

    Its methods raise ``redis.RedisError`` where Redis is away, or does not answer in time.
    """
    return _clients.client()

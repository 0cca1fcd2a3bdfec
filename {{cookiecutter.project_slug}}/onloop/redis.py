"""The Redis that processes share, called on the event loop.

This is the Redis of `settings.REDIS_URL`, for short commands only: one without a reply within a
second fails, so that a request never waits long for a Redis that is down.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import wraps
from typing import TYPE_CHECKING

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from onloop.conf import settings
from onloop.per_loop import SharedClient
from onloop.views import View, error_response

if TYPE_CHECKING:
    from redis.asyncio import Redis

TIMEOUT_SECONDS = 1.0
MAX_CONNECTIONS = 50
RETRY_AFTER_SECONDS = 5

UNAVAILABLE = {
    "type": "unavailable",
    "message": f"A dependency of this service is down. Try again in {RETRY_AFTER_SECONDS} s.",
}

logger = logging.getLogger(__name__)


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
        # One immediate retry: a kept connection may be lost while Redis is up.
        retry=Retry(NoBackoff(), 1),
    )
    client = Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()


_clients = SharedClient(_open_client)


def shared_redis() -> AbstractAsyncContextManager[None]:
    """Keep one client open on the running event loop, if there is a Redis.

    A resource of the ASGI lifespan.
    """
    return _clients.kept_open() if settings.REDIS_URL else nullcontext()


def redis_client() -> AbstractAsyncContextManager[Redis]:
    """A block with the client of the running event loop, or, without a lifespan, one of its own.

    Its methods raise `redis.RedisError` where Redis is down, or does not reply in time.
    """
    return _clients.client()


def redis_errors() -> tuple[type[Exception], ...]:
    """Return the errors of a Redis that is down or silent, for an `except`; () without a Redis.

    An error that Redis itself replies with is a defect, and not among them.
    """
    if not settings.REDIS_URL:
        return ()
    from redis import exceptions

    return (exceptions.ConnectionError, exceptions.TimeoutError)


def log_outage(cause: object) -> None:
    """Log in one line that Redis is down or does not answer."""
    logger.warning("Redis is down: %s", cause)


def redis_required[**P](view: View[P]) -> View[P]:
    """Answer 503 with `Retry-After` and one sentence where the view needs a Redis that is down."""

    @wraps(view)
    async def wrapper(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except redis_errors() as error:
            log_outage(error)
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return error_response(503, UNAVAILABLE["type"], UNAVAILABLE["message"], headers)

    return wrapper

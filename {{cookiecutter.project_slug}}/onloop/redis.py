"""The Redis that processes share, called on the event loop.

It is the Redis of `settings.REDIS_URL`, for short commands only: a command without a reply within a
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

_TIMEOUT_SECONDS = 1.0
_MAX_CONNECTIONS = 50
_RETRY_AFTER_SECONDS = 5

UNAVAILABLE = {
    "type": "unavailable",
    "message": f"A dependency of this service is down. Try again in {_RETRY_AFTER_SECONDS} s.",
}

logger = logging.getLogger(__name__)


@asynccontextmanager
async def _open_client() -> AsyncIterator[Redis]:
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    pool = BlockingConnectionPool.from_url(
        settings.REDIS_URL,
        max_connections=_MAX_CONNECTIONS,
        timeout=_TIMEOUT_SECONDS,
        socket_connect_timeout=_TIMEOUT_SECONDS,
        socket_timeout=_TIMEOUT_SECONDS,
        # One immediate retry: an idle connection may be lost although Redis is up.
        retry=Retry(NoBackoff(), 1),
    )
    client = Redis.from_pool(pool)
    try:
        yield client
    finally:
        await client.aclose()


_clients = SharedClient(_open_client)


def shared_redis() -> AbstractAsyncContextManager[None]:
    """Keep one client open on the running event loop, if `settings.REDIS_URL` is set.

    A resource of the ASGI lifespan.
    """
    return _clients.kept_open() if settings.REDIS_URL else nullcontext()


def redis_client() -> AbstractAsyncContextManager[Redis]:
    """Return a block with the running event loop's client; without a lifespan it opens its own.

    The client's methods raise `redis.RedisError` if Redis is down or does not reply in time.
    """
    return _clients.client()


def redis_errors() -> tuple[type[Exception], ...]:
    """Return the exceptions to catch for a Redis that is down or silent; `()` without a Redis.

    An error that Redis itself replies with is not among them, since it indicates a defect.
    """
    if not settings.REDIS_URL:
        return ()
    from redis import exceptions

    return (exceptions.ConnectionError, exceptions.TimeoutError)


def log_outage(cause: object) -> None:
    """Log in one line that Redis is down or does not reply."""
    logger.warning("Redis is down: %s", cause)


def redis_required[**P](view: View[P]) -> View[P]:
    """Make an async view answer 503 with `Retry-After` if it needs Redis and Redis is down."""

    @wraps(view)
    async def wrapper(
        request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs
    ) -> HttpResponseBase:
        try:
            return await view(request, *args, **kwargs)
        except redis_errors() as error:
            log_outage(error)
            headers = {"Retry-After": str(_RETRY_AFTER_SECONDS)}
            return error_response(503, UNAVAILABLE["type"], UNAVAILABLE["message"], headers)

    return wrapper

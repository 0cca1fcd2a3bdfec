"""Liveness and readiness, as orchestrators ask for them."""

import asyncio
import logging

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from runtime.origins import circuits
from runtime.redis import redis_client
from runtime.threads import release_thread

DATABASE_SECONDS = 2.0

logger = logging.getLogger(__name__)


@require_safe
@never_cache
async def healthz(request: HttpRequest) -> JsonResponse:
    """Liveness: the event loop answers. Nothing else is asked, so only a dead process fails."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
async def readyz(request: HttpRequest) -> JsonResponse:
    """Readiness: 200 when the parts that the process needs can be reached, else 503.

    Answers `{"status": "ok" | "degraded" | "unavailable", "parts": {"database": "ok" |
    "unreachable", "redis": ...}, "circuits": {origin: "closed" | "open" | "half_open"}}` within
    seconds, whatever the parts do; `redis` is there with `REDIS_URL`.

    Without its database the process is unavailable. Without its Redis it is degraded, and still
    ready: most requests need none, and the other processes miss the same Redis. Nor does an open
    circuit make it unready: the requests would go to a process that asks the same server.
    """
    parts = {"database": await _database()}
    if settings.REDIS_URL:
        parts["redis"] = await _redis()
    ready = parts["database"] == "ok"
    whole = set(parts.values()) == {"ok"}
    return JsonResponse(
        {
            "status": "unavailable" if not ready else "ok" if whole else "degraded",
            "parts": parts,
            "circuits": circuits(),
        },
        status=200 if ready else 503,
    )


async def _database() -> str:
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            await sync_to_async(_select_one)()
    except TimeoutError:
        release_thread()  # It goes on waiting for the database, but not for this request.
        logger.warning("The database has not answered within %g s", DATABASE_SECONDS)
        return "unreachable"
    except DatabaseError:
        logger.warning("The database cannot be reached", exc_info=True)
        return "unreachable"
    return "ok"


def _select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def _redis() -> str:
    from redis import RedisError

    try:
        async with redis_client() as client:
            await client.ping()
    except RedisError:
        logger.warning("Redis cannot be reached", exc_info=True)
        return "unreachable"
    return "ok"

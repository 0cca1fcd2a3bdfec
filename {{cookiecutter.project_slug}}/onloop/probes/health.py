"""Liveness and readiness probes for orchestrators."""

import asyncio
import logging
from contextvars import Context
from dataclasses import asdict

from django.db import DatabaseError, connection, connections
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from onloop.asgi.threads import request_thread
from onloop.conf import settings
from onloop.database import DatabaseThread
from onloop.http import upstreams
from onloop.per_loop import PerLoop
from onloop.redis import redis_client

DATABASE_SECONDS = 2.0

type Parts = dict[str, str]

logger = logging.getLogger(__name__)
database = DatabaseThread("probes")


@require_safe
@never_cache
async def healthz(request: HttpRequest) -> JsonResponse:
    """Liveness: the event loop responds. Nothing else is checked, so only a dead process fails."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
async def readyz(request: HttpRequest) -> JsonResponse:
    """Readiness: 200 if the database is reachable, otherwise 503.

    The response is `{"status": "ok" | "degraded" | "unavailable", "parts": {"database": "ok" |
    "busy" | "unreachable", "redis": "ok" | "unreachable"}}`; `redis` is included if `REDIS_URL` is
    set. It arrives within seconds, whatever state the dependencies are in, and needs none of the
    requests' threads and connections.

    Without its database the process is unavailable. Without its Redis it is degraded but still
    ready: most requests do not need it, and the other processes have lost the same Redis. It is
    also degraded while requests queue for a thread or a database connection (`busy`).

    With `METRICS` on, which reveals as much, `upstreams` has the figures of each upstream by name
    (`onloop.http.Figures`). An open circuit changes nothing else: the other processes have the same
    upstream.
    """
    parts = await _parts()
    if parts["database"] == "ok" and _requests_wait():
        parts = parts | {"database": "busy"}
    ready = parts["database"] != "unreachable"
    whole = set(parts.values()) == {"ok"}
    answer: dict[str, object] = {
        "status": "unavailable" if not ready else "ok" if whole else "degraded",
        "parts": parts,
    }
    if settings.METRICS:
        answer["upstreams"] = {one.name: asdict(one.figures()) for one in upstreams()}
    return JsonResponse(answer, status=200 if ready else 503)


async def _parts() -> Parts:
    """Check the dependencies, once for all probes that arrive during the check."""
    look = _looks.get()
    if look is None or look.done():
        look = asyncio.get_running_loop().create_task(_look(), context=Context())
        _looks.set(look)
    return await asyncio.shield(look)


async def _look() -> Parts:
    parts = {"database": await _database()}
    if settings.REDIS_URL:
        parts["redis"] = await _redis()
    return parts


async def _database() -> str:
    try:
        async with asyncio.timeout(DATABASE_SECONDS):
            await database.run(_select_one)
    except TimeoutError:
        logger.warning("The database has not answered within %g s", DATABASE_SECONDS)
        return "unreachable"
    except DatabaseError:
        logger.warning("The database cannot be reached", exc_info=True)
        return "unreachable"
    return "ok"


def _select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _requests_wait() -> bool:
    thread = request_thread()
    pool = getattr(connections["default"], "pool", None)
    return bool(
        (thread and thread.pool_exhausted) or (pool and pool.get_stats().get("requests_waiting"))
    )


async def _redis() -> str:
    from redis import RedisError

    try:
        async with redis_client() as client:
            await client.ping()
    except RedisError:
        logger.warning("Redis cannot be reached", exc_info=True)
        return "unreachable"
    return "ok"


_looks: PerLoop[asyncio.Task[Parts] | None] = PerLoop(lambda: None)

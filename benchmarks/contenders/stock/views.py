"""The example's two views on one HTTP client shared by all requests, its limits untouched."""

import asyncio
import time
from functools import cache

import httpx
from django.http import HttpRequest, JsonResponse

from benchmarks.contenders import options


@cache
def shared_client() -> httpx.AsyncClient:
    """One client for the process, made on the event loop that serves it."""
    return httpx.AsyncClient(timeout=options.CALL_TIMEOUT)


def api(request: HttpRequest) -> JsonResponse:
    time.sleep(options.SYNC_API_DELAY)
    return JsonResponse({"message": "Hello World!", "task_id": request.GET.get("task_id")})


async def api_aggregated(request: HttpRequest) -> JsonResponse:
    start = time.perf_counter()
    client = shared_client()
    answers = await asyncio.gather(*[client.get(url) for url in options.task_urls()])
    return JsonResponse(
        {
            "responses": [answer.json() for answer in answers],
            "debug_message": options.debug_message(time.perf_counter() - start),
        }
    )

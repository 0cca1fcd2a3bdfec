"""The "Django async views" example as published: a new HTTP client for each request, its defaults
untouched. Only the upstream, the fan-out and the delay come from the environment."""

import asyncio
import time

import httpx
from django.http import HttpRequest, JsonResponse

from benchmarks.contenders import options


def api(request: HttpRequest) -> JsonResponse:
    time.sleep(options.SYNC_API_DELAY)
    payload = {"message": "Hello World!", "task_id": request.GET.get("task_id")}
    return JsonResponse(payload)


async def api_aggregated(request: HttpRequest) -> JsonResponse:
    start = time.perf_counter()
    async with httpx.AsyncClient() as client:
        answers = await asyncio.gather(*[client.get(url) for url in options.task_urls()])
        responses = [answer.json() for answer in answers]
    return JsonResponse(
        {
            "responses": responses,
            "debug_message": options.debug_message(time.perf_counter() - start),
        }
    )

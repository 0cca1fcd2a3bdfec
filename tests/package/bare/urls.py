"""A view that greets, one that streams, and two for a job."""

import asyncio
from collections.abc import AsyncIterator

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.tasks import default_task_backend
from django.urls import path
from mysite.jobs import outlive_the_process


async def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


async def ticks() -> AsyncIterator[bytes]:
    """One tick, and then nothing."""
    yield b"tick"
    await asyncio.Event().wait()


async def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(ticks())


async def enqueue(request: HttpRequest) -> HttpResponse:
    return HttpResponse((await outlive_the_process.aenqueue()).id)


async def status(request: HttpRequest, job: str) -> HttpResponse:
    return HttpResponse((await default_task_backend.aget_result(job)).status)


urlpatterns = [
    path("hello/", hello),
    path("stream/", stream),
    path("jobs/", enqueue),
    path("jobs/<job>/", status),
]

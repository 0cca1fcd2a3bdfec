"""A URLconf with views that start work in the background."""

import asyncio
from pathlib import Path

from asgiref.sync import sync_to_async
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.asgi.lifespan import stopping
from onloop.background import BackgroundRefusedError, run_in_background

done = 0


def select_one() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


async def ask_database() -> None:
    global done
    await sync_to_async(select_one)()
    done += 1


async def write_when_stopping(file: str) -> None:
    """Work that is in its middle when the server is asked to stop."""
    await stopping().wait()
    await sync_to_async(select_one)()
    Path(file).write_text("done")  # noqa: ASYNC240


async def never_end() -> None:
    await asyncio.Event().wait()


async def start(request: HttpRequest, work: str) -> HttpResponse:
    """Use the database, as work that takes over the request's own connection would show."""
    await sync_to_async(select_one)()
    try:
        if work == "ask_database":
            run_in_background(ask_database)
        elif work == "write_when_stopping":
            run_in_background(write_when_stopping, request.GET["file"])
        else:
            run_in_background(never_end)
    except BackgroundRefusedError as error:
        return HttpResponse(str(error), status=503)
    return HttpResponse("started")


async def count(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(done))


urlpatterns = [path("start/<work>/", start), path("count/", count)]

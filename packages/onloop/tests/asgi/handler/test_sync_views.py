"""Sync code runs on reused, bounded threads, one per request, that are left clean."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth import get_user_model
from django.core.signals import request_finished, request_started
from django.db import DEFAULT_DB_ALIAS, connections
from django.http import HttpRequest, HttpResponse
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from tests.asgi.handler.crowd import Crowd
from tests.asgi.handler.exchange import Exchange, ask

User = get_user_model()

SIGNALS = [request_started, request_finished]


async def test_sync_views_share_a_bounded_number_of_threads_and_wait_in_line(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    crowd = Crowd()
    app = serve(crowd)
    requests = [Exchange(app, "/view/") for _ in range(6)]
    for _ in range(2):
        await asyncio.to_thread(crowd.entered.acquire, timeout=10)
    assert not crowd.entered.acquire(blocking=False)
    crowd.out.release(6)
    await asyncio.gather(*(request.task for request in requests))
    assert [request.answer.text for request in requests] == ["out"] * 6
    assert crowd.most == 2
    assert len(set(crowd.threads)) == 2


async def test_a_client_that_leaves_the_line_takes_no_thread(
    serve: Callable[..., EventLoopASGIHandler],
) -> None:
    crowd = Crowd()
    app = serve(crowd)
    requests = [Exchange(app, "/view/") for _ in range(2)]
    for _ in requests:
        await asyncio.to_thread(crowd.entered.acquire, timeout=10)
    impatient = Exchange(app, "/view/")
    impatient.disconnect()
    await asyncio.wait_for(impatient.task, 10)
    crowd.out.release(2)
    await asyncio.gather(*(request.task for request in requests))
    assert len(crowd.threads) == 2


async def test_all_sync_code_of_a_request_runs_on_one_thread(
    serve: Callable[..., EventLoopASGIHandler], settings: Settings
) -> None:
    """With every thread busy, so that a call for another one would wait for good."""
    settings.SYNC_THREADS = 1
    seen: list[int] = []
    loops: list[int] = []

    def note(*args: object, **kwargs: object) -> None:
        seen.append(threading.get_ident())

    async def on_the_loop() -> None:
        loops.append(threading.get_ident())
        await sync_to_async(note)()
        await asyncio.gather(sync_to_async(note)(), sync_to_async(note)())

    def view(request: HttpRequest) -> HttpResponse:
        note()
        async_to_sync(on_the_loop)()
        return HttpResponse(str(len(seen)))

    app = serve(view)
    for signal in SIGNALS:
        signal.connect(note)
    try:
        assert (await ask(app, "/view/")).text == "5"
    finally:
        for signal in SIGNALS:
            signal.disconnect(note)
    assert len(seen) == 6
    assert len(set(seen)) == 1
    assert loops == [threading.get_ident()]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("asynchronous", [True, False])
async def test_connections_are_closed_after_use(
    asynchronous: bool, serve: Callable[..., EventLoopASGIHandler], settings: Settings
) -> None:
    settings.SYNC_THREADS = 1
    used: list[Any] = []

    def count() -> int:
        used.append(connections[DEFAULT_DB_ALIAS])
        return User.objects.count()

    async def async_view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(await sync_to_async(count)()))

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(count()))

    app = serve(async_view if asynchronous else view)
    for _ in range(2):  # The second has the only thread when the first has left it.
        assert (await ask(app, "/view/")).text == "0"
    assert used[0].connection is None

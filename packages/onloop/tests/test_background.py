"""Work that outlives its request: its context, its end, its limits."""

import asyncio
from contextvars import ContextVar
from pathlib import Path

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.db import DEFAULT_DB_ALIAS, connections
from pytest_django import Settings

from onloop import background
from onloop.background import BackgroundRefusedError, background_work, run_in_background
from onloop.testing import TLS, serve_app, serve_process
from tests.project.asgi import application
from tests.services.polling import eventually

User = get_user_model()

URLS = "tests.background_views"

who: ContextVar[str] = ContextVar("who", default="nobody")


async def test_it_has_its_arguments_and_a_context_of_its_own() -> None:
    seen: list[object] = []
    ended = asyncio.Event()

    async def work(first: int, *, second: int) -> None:
        seen.extend([first, second, who.get()])
        ended.set()

    who.set("a request")
    async with background_work():
        run_in_background(work, 1, second=2)
        assert seen == []
        await ended.wait()
    assert seen == [1, 2, "nobody"]


@pytest.mark.django_db(transaction=True)
async def test_it_has_a_thread_and_connections_of_its_own_and_closes_them() -> None:
    used = []

    def count() -> None:
        used.append(connections[DEFAULT_DB_ALIAS])
        User.objects.count()

    async def work() -> None:
        await sync_to_async(count)()

    await sync_to_async(count)()
    async with background_work():
        run_in_background(work)
    assert len(set(map(id, used))) == 2
    assert used[1].connection is None


async def test_its_exception_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        raise ValueError("no such article")

    async with background_work():
        run_in_background(work)
    assert "work failed in the background." in caplog.text
    assert "ValueError: no such article" in caplog.text


async def test_more_than_the_limit_is_refused(settings: Settings) -> None:
    settings.BACKGROUND_LIMIT = 2
    go_on = asyncio.Event()

    async with background_work():
        run_in_background(go_on.wait)
        run_in_background(go_on.wait)
        with pytest.raises(BackgroundRefusedError, match="2 background tasks are running already"):
            run_in_background(go_on.wait)
        go_on.set()

        async def accepted() -> bool:
            try:
                run_in_background(go_on.wait)
            except BackgroundRefusedError:
                return False
            return True

        await eventually(accepted)


async def test_shutdown_refuses_more_and_cuts_off_what_does_not_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "_DRAIN_SECONDS", 0.01)
    refusals: list[str] = []

    async def never_end() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                run_in_background(never_end)
            except BackgroundRefusedError as error:
                refusals.append(str(error))

    async with background_work():
        run_in_background(never_end)
    [refusal] = refusals
    assert "the server is stopping" in refusal
    assert "never_end was cancelled in the background" in caplog.text


async def test_without_a_server_it_is_refused() -> None:
    async def work() -> None:
        pytest.fail("was called all the same")

    with pytest.raises(BackgroundRefusedError, match="no server runs"):
        run_in_background(work)


async def test_process_leaks_no_connection_and_waits_for_work_when_it_stops(
    tmp_path: Path, postgres_url: str
) -> None:
    file = tmp_path / "file"
    environment = {"DATABASE_URL": postgres_url, "DATABASE_POOL_SIZE": "1", "LOG_LEVEL": "warning"}
    with serve_process(ROOT_URLCONF=URLS, **environment) as (server, url):
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            for _ in range(10):
                assert (await client.get("/start/ask_database/")).text == "started"

            async def all_done() -> bool:
                return (await client.get("/count/")).text == "10"

            await eventually(all_done)
            answer = await client.get("/start/write_when_stopping/", params={"file": str(file)})
        assert answer.text == "started"
        assert not file.exists()
        server.terminate()
        _, log = await asyncio.to_thread(server.communicate)

    assert file.read_text() == "done"
    assert log == ""


@pytest.mark.django_db(transaction=True)
async def test_server_stops_in_time_all_the_same_and_says_what_is_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "_DRAIN_SECONDS", 0.01)
    settings.ROOT_URLCONF = URLS
    settings.BACKGROUND_LIMIT = 1
    with serve_app(application) as url:
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            answers = [await client.get("/start/never_end/") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 503]
    assert "1 background tasks are running already" in answers[1].text
    assert "never_end was cancelled in the background: the server is stopping." in caplog.text

"""Aggregations and the database: none holds a connection while it waits for the upstream."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg
import pytest
from onloop.testing import Call, serve_process, serve_upstream

from tests.acceptance.clients import AGGREGATED, closed_port, get
from tests.acceptance.services.polling import eventually
from tests.answers import echo

REQUESTS = 50  # Of each kind.
POOL = 10

LOG_IN = """
import django; django.setup()
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client
call_command("migrate", verbosity=0)
client = Client()
client.force_login(get_user_model().objects.create_user("ada"))
print(client.cookies["sessionid"].value)
"""


@pytest.fixture(params=["postgres", "sqlite"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/db.sqlite3"
    return str(request.getfixturevalue("postgres_url"))


@pytest.mark.timeout(180)  # Many requests, perhaps on a busy machine.
async def test_requests_that_wait_for_the_upstream_hold_no_connection(
    database_url: str,
) -> None:
    environment = {
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": str(POOL),
        "LOG_LEVEL": "warning",
    }
    session = await asyncio.to_thread(log_in, environment)
    all_in, go_on = asyncio.Event(), asyncio.Event()

    async def hold(call: Call) -> None:
        if upstream.in_flight == REQUESTS:
            all_in.set()
        await go_on.wait()
        await echo(call)

    async with serve_upstream(hold) as upstream:
        environment |= {"AGGREGATOR_UPSTREAM_URL": upstream.url, "AGGREGATOR_FAN_OUT": "1"}
        app = "tests.acceptance.aggregator.database_views:application"
        options = ("--timeout-graceful-shutdown", "1")
        with serve_process(*options, app=app, **environment) as (server, url):
            limits = httpx.Limits(max_connections=None)
            cookies = {"sessionid": session}
            async with httpx.AsyncClient(
                base_url=url, cookies=cookies, limits=limits, timeout=50
            ) as client:
                aggregations = [client.get("/aggregated-for-user/") for _ in range(REQUESTS)]
                answering = asyncio.gather(*aggregations)
                async with asyncio.timeout(60):
                    await all_in.wait()
                visits = await asyncio.gather(*(client.get("/visit/") for _ in range(REQUESTS)))
                go_on.set()
                answers = await answering

            assert [visit.text for visit in visits] == ["ada"] * REQUESTS
            assert {answer.status_code for answer in answers} == {200}
            assert {answer.headers["x-user"] for answer in answers} == {"ada"}
            if database_url.startswith("postgres"):
                await eventually(lambda: connections_are_idle(database_url))
            server.terminate()
            _, log = await asyncio.to_thread(server.communicate)

    assert log == ""
    if database_url.startswith("postgres"):
        assert await connections(database_url) == []


async def test_aggregations_need_no_database() -> None:
    url = f"postgres://ada@127.0.0.1:{closed_port()}/none"
    async with serve_upstream(echo) as upstream:
        environment = {"DATABASE_URL": url, "AGGREGATOR_UPSTREAM_URL": upstream.url}
        with serve_process(**environment) as (_, project):
            assert (await get(project + "/readyz")).status_code == 503
            assert (await get(project + AGGREGATED)).status_code == 200


def log_in(environment: dict[str, str]) -> str:
    """Migrate the database, add a user and return the key of their session."""
    process = subprocess.run(
        [sys.executable, "-c", LOG_IN],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return process.stdout.strip()


async def connections(url: str) -> list[str]:
    """Return the states of all other connections to the database."""
    query = (
        "SELECT state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (await connection.execute(query)).fetchall()
    return [str(state) for (state,) in rows]


async def connections_are_idle(url: str) -> bool:
    states = await connections(url)
    assert len(states) <= POOL
    return set(states) == {"idle"}

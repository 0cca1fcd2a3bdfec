"""PostgreSQL behind the pool: away, silent, back again, and let go at the end."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import httpx
import psycopg
import pytest
import pytest_asyncio

from onloop.testing import TLS, serve_process
from tests import MEASURED
from tests.services.fixtures import new_database
from tests.services.polling import eventually
from tests.services.proxies import Proxy, proxy_of

URLS = "tests.database_views"
POOL_SIZE = 4

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    with new_database(request) as url:
        yield url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(database_url: str) -> AsyncIterator[Proxy]:
    """The proxy through which `client`'s server reaches its database."""
    async with proxy_of(database_url, 5432) as proxy:
        yield proxy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(proxy: Proxy) -> AsyncIterator[httpx.AsyncClient]:
    """A client of one server for all tests; each leaves the database reachable."""
    environment = {"DATABASE_URL": proxy.url, "DATABASE_POOL_SIZE": str(POOL_SIZE)}
    with serve_process(ROOT_URLCONF=URLS, **environment, **MEASURED) as (_, url):
        async with httpx.AsyncClient(
            base_url=url, timeout=50, trust_env=False, verify=TLS
        ) as client:
            yield client


async def test_database_that_is_silent_holds_up_no_probe(
    proxy: Proxy, client: httpx.AsyncClient
) -> None:
    for _ in range(2):  # With no connection yet, and with one in the pool.
        proxy.flowing.clear()
        await unready(client)
        proxy.flowing.set()
        await eventually(lambda: ready(client))


async def test_database_that_is_away_is_named_and_all_recovers(
    proxy: Proxy, client: httpx.AsyncClient
) -> None:
    await several_at_once(client)
    await eventually(lambda: ready(client))

    await proxy.stop()
    await unready(client)
    await unready(client)

    await proxy.start()
    await eventually(lambda: ready(client))
    await several_at_once(client)


async def test_connections_lost_while_nobody_asked_fail_no_request(
    proxy: Proxy, client: httpx.AsyncClient
) -> None:
    await several_at_once(client)
    await proxy.stop()
    await proxy.start()
    await several_at_once(client)
    await eventually(lambda: ready(client))


async def test_connections_that_go_silent_are_replaced(
    proxy: Proxy, client: httpx.AsyncClient
) -> None:
    """As after a failover: nothing answers on the old ones, nothing closes them, new ones work."""
    await several_at_once(client)
    await eventually(lambda: ready(client))

    proxy.silence()
    await several_at_once(client)
    await eventually(lambda: ready(client))


async def test_requests_that_hold_every_connection_leave_the_process_ready(
    database_url: str, client: httpx.AsyncClient
) -> None:
    with psycopg.connect(database_url, autocommit=True) as lock:
        lock.execute("SELECT pg_advisory_lock(1)")
        waiting = [
            asyncio.ensure_future(client.get("/wait-for-lock/")) for _ in range(POOL_SIZE + 1)
        ]
        await eventually(lambda: busy(client))
        lock.execute("SELECT pg_advisory_unlock(1)")
        answers = await asyncio.gather(*waiting)
    assert [answer.status_code for answer in answers] == [200] * (POOL_SIZE + 1)
    assert (await client.get("/readyz")).json()["status"] == "ok"


async def test_pool_is_bounded_and_closed_with_the_server(postgres_url: str) -> None:
    environment = {"DATABASE_URL": postgres_url, "DATABASE_POOL_SIZE": "2", "LOG_LEVEL": "warning"}
    with serve_process(ROOT_URLCONF=URLS, **environment) as (server, url):
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            await several_at_once(client)
        assert 0 < await connections(postgres_url) <= 2
        server.terminate()
        _, log = await asyncio.to_thread(server.communicate)

    assert log == ""
    assert server.returncode == -signal.SIGTERM
    assert await connections(postgres_url) == 0


async def several_at_once(client: httpx.AsyncClient) -> None:
    """Use several connections of the pool."""
    answers = await asyncio.gather(*(client.get("/select-one/") for _ in range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8


async def unready(client: httpx.AsyncClient) -> None:
    response = await client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["parts"] == {"database": "unreachable"}
    assert (await client.get("/healthz")).status_code == 200


async def busy(client: httpx.AsyncClient) -> bool:
    response = await client.get("/readyz")
    assert response.status_code == 200
    return bool(response.json() == {"status": "degraded", "parts": {"database": "busy"}})


async def ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def connections(url: str) -> int:
    query = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )
    async with await psycopg.AsyncConnection.connect(url) as connection:
        row = await (await connection.execute(query)).fetchone()
    return int(row[0]) if row else 0

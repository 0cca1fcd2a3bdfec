"""What Prometheus is told."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.db.utils import ConnectionHandler
from django.test import AsyncClient
from environ import Env
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings

from onloop.asgi.handler import EventLoopASGIHandler
from onloop.asgi.lifespan import Lifespan
from onloop.asgi.routing import ProtocolRouter
from onloop.http import Cache, shared_http_client
from onloop.observe import metrics, observed, telemetry
from onloop.observe.metrics import event_loop_lag_measured
from onloop.probes.exposition import DatabasePools
from onloop.testing import TLS, Call, serve_app, serve_upstream
from tests.http.calls import broken, declare, hello


@pytest.fixture(autouse=True)
def _metrics_on(settings: Settings) -> None:
    settings.METRICS = True


@pytest.fixture
def url() -> Iterator[str]:
    """The URL of the project, served with metrics."""
    app = ProtocolRouter(
        http=observed(EventLoopASGIHandler()), lifespan=Lifespan(telemetry, shared_http_client)
    )
    with serve_app(app) as url:
        yield url


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def requests(method: str, route: str, status: int) -> float:
    labels = {"method": method, "route": route, "status": str(status)}
    return value("http_request_duration_seconds_count", **labels)


async def counted(expected: float, *request: *tuple[str, str, int]) -> None:
    """Wait until so many requests are counted: an answer may arrive just before it is."""
    async with asyncio.timeout(30):
        while requests(*request) != expected:  # noqa: ASYNC110 - another event loop counts
            await asyncio.sleep(0.001)


async def ask(url: str, method: str = "GET") -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, trust_env=False, verify=TLS) as client:
        return await client.request(method, url)


async def test_nothing_is_told_unless_it_is_asked_for(settings: Settings) -> None:
    settings.METRICS = False
    assert (await AsyncClient().get("/metrics")).status_code == 404


async def test_prometheus_can_read_it(url: str) -> None:
    response = await ask(f"{url}/metrics")

    assert response.headers["content-type"].startswith("text/plain; version=")
    families = {family.name: family for family in text_string_to_metric_families(response.text)}
    (in_flight,) = families["http_requests_in_flight"].samples
    assert in_flight.value == 1  # The scrape itself.
    assert {"http_request_duration_seconds", "upstream_circuit", "event_loop_lag_seconds"} <= set(
        families
    )


async def test_requests_are_counted_by_route_and_not_by_path(url: str) -> None:
    before = [requests("GET", "healthz", 200), requests("GET", "unmatched", 404)]
    for path in ("healthz", "none/1", "none/2"):
        await ask(f"{url}/{path}")

    await counted(before[0] + 1, "GET", "healthz", 200)
    await counted(before[1] + 2, "GET", "unmatched", 404)
    assert "none/1" not in (await ask(f"{url}/metrics")).text


async def test_methods_that_nobody_knows_are_one(url: str) -> None:
    before = requests("OTHER", "healthz", 403)
    await ask(f"{url}/healthz", "PROPFIND")

    await counted(before + 1, "OTHER", "healthz", 403)


def attempts(upstream: str, outcome: str) -> float:
    return value("upstream_call_duration_seconds_count", upstream=upstream, outcome=outcome)


@pytest.mark.parametrize("way", ["whole", "short"])
async def test_attempts_are_counted_by_outcome(way: str) -> None:
    all_in = asyncio.Event()

    async def answer(call: Call) -> None:
        match call.target:
            case "/ok":
                await call.reply()
            case "/bad":
                await call.reply(status="404 Not Found")
            case _:
                all_in.set()
                await call.closed()

    async with serve_upstream(answer) as server:
        upstream = declare(server.url, f"counted-{way}")

        async def call(path: str, timeout: float = 30.0) -> None:  # noqa: ASYNC109
            if way == "short":
                await upstream.get_body(server.url + path, timeout=timeout, max_bytes=100)
            else:
                (await upstream.get(path, timeout=timeout)).raise_for_status()

        await call("ok")
        with pytest.raises(httpx.HTTPStatusError):
            await call("bad")
        with pytest.raises(httpx.ReadTimeout):
            await call("hang", timeout=0.01)
        all_in.clear()
        leaving = asyncio.create_task(call("hang"))
        await all_in.wait()
        assert value("upstream_in_flight", upstream=upstream.name) == 1
        leaving.cancel()
        await asyncio.wait([leaving])

        for outcome in ("ok", "bad_response", "timeout", "cancelled"):
            assert attempts(upstream.name, outcome) == 1, outcome
        assert value("upstream_in_flight", upstream=upstream.name) == 0
        assert value("upstream_limit", upstream=upstream.name) == 100


async def test_retries_and_the_circuit_are_told() -> None:
    answers = iter([broken, hello])

    async def answer(call: Call) -> None:
        await next(answers)(call)

    async with serve_upstream(answer) as server:
        await declare(server.url, "retried", retries=1, hedge=True).get("/")

    assert value("upstream_retries_total", upstream="retried") == 1
    assert value("upstream_hedges_total", upstream="retried") == 0
    assert value("upstream_circuit", upstream="retried", state="closed") == 1
    assert value("upstream_circuit", upstream="retried", state="open") == 0


async def test_what_the_cache_had_is_told() -> None:
    async with serve_upstream(hello) as server:
        upstream = declare(server.url, "cached", cache=Cache(fresh=60), rate="100/second")
        for _ in range(3):
            await upstream.get("/")

    assert value("upstream_cache_total", upstream="cached", outcome="miss") == 1
    assert value("upstream_cache_total", upstream="cached", outcome="hit") == 2
    assert value("upstream_joined_total", upstream="cached") == 0
    assert value("upstream_waiting", upstream="cached") == 0


async def test_event_loop_lag_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_LAG_SAMPLED_EVERY", 0.001)
    before = value("event_loop_lag_seconds_count")
    async with event_loop_lag_measured(), asyncio.timeout(30):
        while value("event_loop_lag_seconds_count") < before + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.django_db
def test_database_pool_is_told(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pooled: dict[str, Any] = Env.db_url_config(postgres_url)
    pooled["OPTIONS"] = {"pool": {"min_size": 2, "max_size": 5}}
    databases = ConnectionHandler({"default": Env.db_url_config("sqlite://:memory:"), "pg": pooled})
    monkeypatch.setattr("onloop.probes.exposition.connections", databases)
    wrapper: Any = databases["pg"]
    wrapper.connect()
    try:
        (family,) = DatabasePools().collect()
    finally:
        wrapper.close()
        wrapper.close_pool()

    figures = {sample.labels["figure"]: sample.value for sample in family.samples}
    assert figures["pool_max"] == 5
    assert figures["requests_num"] == 1
    assert {sample.labels["database"] for sample in family.samples} == {"pg"}

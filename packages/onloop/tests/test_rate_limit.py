"""How often one client is answered: here, in other processes, and without Redis."""

import asyncio
from collections import Counter

import httpx
import pytest
from pytest_django import Settings

from onloop import rate_limit
from onloop.rate_limit import client_at, count
from onloop.rates import Rate
from onloop.redis import shared_redis
from onloop.testing import TLS, serve_app, serve_process
from tests.http.calls import closed_port
from tests.project.asgi import application
from tests.services.polling import eventually
from tests.services.proxies import proxy_of

URLS = "tests.limited_views"


class Clock:
    """The time, in seconds."""

    now = 1_000_000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(rate_limit, "monotonic_ns", lambda: round(clock.now * 1_000_000_000))
    return clock


@pytest.fixture
def _limited(settings: Settings) -> None:
    settings.ROOT_URLCONF = URLS


@pytest.mark.parametrize(("requests", "seconds"), [(1, 1), (7, 1), (300, 60), (9_999, 1)])
async def test_all_at_once_and_then_as_they_come_back(
    clock: Clock, requests: int, seconds: int
) -> None:
    some = min(requests, 1000)
    for _ in range(requests - some):
        await count("name", "ada", Rate(requests, seconds))
    assert [await count("name", "ada", Rate(requests, seconds)) for _ in range(some)] == [0] * some
    wait = await count("name", "ada", Rate(requests, seconds))
    assert 0 < wait <= seconds / requests

    clock.now += wait
    assert await count("name", "ada", Rate(requests, seconds)) == 0
    assert await count("name", "ada", Rate(requests, seconds)) > 0
    assert await count("name", "eve", Rate(requests, seconds)) == 0
    assert await count("other", "ada", Rate(requests, seconds)) == 0

    clock.now += seconds
    assert [await count("name", "ada", Rate(requests, seconds)) for _ in range(some)] == [0] * some


async def test_memory_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    clients: dict[str, int] = {}
    monkeypatch.setattr(rate_limit, "_full", clients)
    monkeypatch.setattr(rate_limit, "_MOST_CLIENTS", 100)
    for number in range(1000):
        await count("name", str(number), Rate(1, 60))
    assert len(clients) == 100
    assert await count("name", "999", Rate(1, 60)) > 0

    clock.now += 60
    await count("name", "ada", Rate(1, 60))
    assert list(clients) == ["client_rate:name:ada"]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("not an address", "unknown"),
        ("", "unknown"),
    ],
)
def test_client_is_an_address_or_a_network(address: str, client: str) -> None:
    assert client_at(address) == client


@pytest.mark.usefixtures("_limited")
async def test_too_much_is_refused_in_one_sentence_until_a_request_is_back() -> None:
    with serve_app(application) as url:
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            answers = [await client.get("/hello/ada/") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[0].text == "hello ada"
    seconds = int(answers[5].headers["retry-after"])
    assert 0 < seconds <= 720
    message = f"One client may make 5 requests in 3600 s. Try again in {seconds} s."
    assert answers[5].json() == {"error": {"type": "rate_limited", "message": message}}


@pytest.mark.usefixtures("_limited")
async def test_processes_count_together_in_redis(redis_url: str, settings: Settings) -> None:
    settings.REDIS_URL = redis_url
    with (
        serve_app(application) as one,
        serve_process(ROOT_URLCONF=URLS, REDIS_URL=redis_url) as (_, other),
    ):
        async with httpx.AsyncClient(timeout=50, verify=TLS) as client:
            answers = await asyncio.gather(
                *(client.get(f"{url}/hello/ada/") for url in (one, other) * 10)
            )

    assert Counter(answer.status_code for answer in answers) == {200: 5, 429: 15}
    refused = [answer for answer in answers if answer.status_code == 429]
    assert all(0 < int(answer.headers["retry-after"]) <= 720 for answer in refused)


async def test_requests_come_back_in_redis_too(redis_url: str, settings: Settings) -> None:
    settings.REDIS_URL = redis_url
    assert await count("name", "ada", Rate(2, 1)) == 0
    assert await count("name", "ada", Rate(2, 1)) == 0
    assert 0 < await count("name", "ada", Rate(2, 1)) <= 0.5

    async def back() -> bool:
        return await count("name", "ada", Rate(2, 1)) == 0

    await eventually(back)


async def test_counting_takes_no_thread(
    redis_url: str, settings: Settings, hops: list[str]
) -> None:
    for url in ("", redis_url):
        settings.REDIS_URL = url
        async with shared_redis():
            assert await count("name", "ada", Rate(1, 3600)) == 0
    assert not hops


async def test_redis_counts_again_when_it_is_back(
    redis_url: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onloop.shared_rates._REDIS_PAUSE_SECONDS", 0.0)
    rate = Rate(3, 3600)
    async with proxy_of(redis_url, 6379) as proxy:
        settings.REDIS_URL = proxy.url
        async with shared_redis():
            assert await count("name", "ada", rate) == 0
            await proxy.stop()
            assert [await count("name", "ada", rate) for _ in range(3)] == [0] * 3
            assert await count("name", "ada", rate) > 0
            await proxy.start()
            assert [await count("name", "ada", rate) for _ in range(2)] == [0] * 2
            assert await count("name", "ada", rate) > 0


async def test_redis_that_is_silent_holds_up_no_request(
    redis_url: str,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("onloop.redis._TIMEOUT_SECONDS", 0.1)
    async with proxy_of(redis_url, 6379) as proxy:
        proxy.flowing.clear()
        settings.REDIS_URL = proxy.url
        async with shared_redis():
            assert await count("name", "ada", Rate(3, 3600)) == 0
    assert "Redis is unreachable" in caplog.text


async def test_redis_that_is_away_is_left_alone_for_a_while(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{closed_port()}/0"
    for _ in range(3):
        assert await count("name", "ada", Rate(3, 3600)) == 0
    assert caplog.text.count("Redis is unreachable") == 1


@pytest.mark.usefixtures("_limited")
async def test_each_process_counts_for_itself_while_redis_is_away(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{closed_port()}/0"
    with serve_app(application) as url:
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            answers = [await client.get("/hello/ada/") for _ in range(6)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "Redis is unreachable: this process counts requests separately for 5 s." in caplog.text


@pytest.mark.usefixtures("_limited")
@pytest.mark.parametrize(
    ("trusted", "expected"),
    [("127.0.0.1", [200] * 5 + [429, 200]), ("192.0.2.1", [200] * 5 + [429, 429])],
)
async def test_client_is_whom_a_trusted_proxy_names(
    trusted: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = ["2001:db8::1", "2001:db8::2"] * 3 + ["2001:db8:1::1"]
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", trusted)
    with serve_app(application) as url:
        async with httpx.AsyncClient(base_url=url, timeout=50, verify=TLS) as client:
            answers = [
                await client.get("/hello/ada/", headers={"X-Forwarded-For": address})
                for address in clients
            ]
    assert [answer.status_code for answer in answers] == expected

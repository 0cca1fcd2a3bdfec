"""Runs while Redis is down or silent, and after it is back."""

import json
import logging
from collections.abc import Iterator

import httpx
import pytest
from config.asgi import application
from live import shared_runs
from onloop import redis
from onloop.events import hubs
from onloop.testing import serve_app, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import connected, parse
from tests.acceptance.services.own_redis import RedisServer
from tests.acceptance.services.polling import eventually
from tests.answers import HeldBack, echo

UNAVAILABLE = {
    "type": "unavailable",
    "message": "A dependency of this service is down. Try again in 5 s.",
}


@pytest.fixture
def url(
    own_redis: RedisServer, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The URL of the project, which uses its own Redis."""
    monkeypatch.setattr(hubs, "_RECHECK_SECONDS", 0.1)
    monkeypatch.setattr(hubs, "_PATIENCE_SECONDS", 1.0)
    monkeypatch.setattr(redis, "_TIMEOUT_SECONDS", 0.5)
    settings.REDIS_URL = own_redis.url
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer"}
    hosts = [{"address": own_redis.url, "socket_timeout": 15}]
    settings.CHANNEL_LAYERS = {"default": layer | {"CONFIG": {"hosts": hosts}}}
    with serve_app(application) as url:
        yield url


def outages(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The project's warnings, all without a traceback."""
    records = [record for record in caplog.records if record.name.startswith(("live", "onloop"))]
    assert not [record for record in caplog.records if record.exc_info]
    return [record.getMessage() for record in records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("how", ["down", "silent"])
async def test_runs_are_unavailable_while_redis_is_down(
    url: str,
    own_redis: RedisServer,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    how: str,
) -> None:
    async with (
        serve_upstream(echo) as upstream,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
        connected(url) as socket,
    ):
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await socket.start(1)
        await socket.receive_until("done")
        assert (await client.get(f"/async/runs/{run}/")).status_code == 200

        (own_redis.stop if how == "down" else own_redis.be_silent)()
        response = await client.get(f"/async/runs/{run}/")
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert response.json() == {"error": UNAVAILABLE}
        for message in ({"type": "start", "fan_out": 1}, {"type": "follow", "run": run}):
            assert await socket.error_for(json.dumps(message)) == UNAVAILABLE
        assert len(upstream.calls) == 1
        assert all(line.startswith("Redis is down: ") for line in outages(caplog))

        (own_redis.start if how == "down" else own_redis.speak)()
        await socket.start(1)
        await socket.receive_until("done")


async def test_run_survives_redis_going_down_and_is_lost_to_followers(
    url: str,
    own_redis: RedisServer,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    held_back = HeldBack(2)
    async with (
        serve_upstream(held_back) as upstream,
        httpx.AsyncClient(base_url=url, timeout=60) as client,
        connected(url) as socket,
    ):
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await socket.start(2)
        monkeypatch.setattr(shared_runs, "MARGIN_SECONDS", 0.0)
        settings.AGGREGATOR_DEADLINE = 2.0
        async with client.stream("GET", f"/async/runs/{run}/") as response:
            text = response.aiter_text()
            (start,) = parse(await anext(text))
            own_redis.stop()

            async def noticed() -> bool:
                return bool(outages(caplog))

            await eventually(noticed)
            for answer in held_back.release:
                answer.set()
            assert (await socket.receive_until("done"))[-1]["ok"] == 2
            (lost,) = parse("".join([part async for part in text]))

    assert (start["event"], lost["event"]) == ("start", "lost")
    waiting, unpublished = outages(caplog)
    assert waiting.startswith("Redis is down: ")
    assert unpublished.startswith(f"Publishing to run.{run} has stopped: ")


async def test_followers_resume_when_redis_is_back(
    url: str, own_redis: RedisServer, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    held_back = HeldBack(1)
    async with (
        serve_upstream(held_back) as upstream,
        connected(url) as socket,
        connected(url) as follower,
    ):
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await socket.start(1)
        await follower.send(type="follow", run=run)
        assert (await follower.receive())["type"] == "start"
        own_redis.be_silent()

        async def noticed() -> bool:
            return bool(outages(caplog))

        await eventually(noticed)
        own_redis.speak()
        held_back.release[0].set()
        assert await follower.receive_until("done") == await socket.receive_until("done")
    assert len(outages(caplog)) == 1

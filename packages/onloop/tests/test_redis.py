"""Redis that is down, or whose connections go silent: nothing closes them, and new ones work."""

import asyncio
from pathlib import Path

import httpx
import pytest
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from onloop.redis import redis_client, redis_required
from onloop.testing import TLS, serve_app
from tests.project.asgi import application
from tests.services.proxies import proxy_of

PATHS = ("/client/", "/cache/", "/layer/")


async def test_connections_that_go_silent_are_replaced(redis_url: str, settings: Settings) -> None:
    # Longer than the layer waits for a message.
    options = {"socket_connect_timeout": 2, "socket_timeout": 2, "retry_on_timeout": True}
    settings.ROOT_URLCONF = "tests.redis_views"
    async with proxy_of(redis_url, 6379) as proxy:
        settings.REDIS_URL = proxy.url
        settings.CACHES = {
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": proxy.url,
                "OPTIONS": options,
            }
        }
        settings.CHANNEL_LAYERS = {
            "default": {
                "BACKEND": "onloop.channel_layer.BoundedRedisChannelLayer",
                "CONFIG": {"hosts": [{"address": proxy.url, **options}]},
            }
        }
        with serve_app(application) as url:
            async with httpx.AsyncClient(base_url=url, timeout=15, verify=TLS) as client:
                await use_all(client)

                proxy.silence()
                await use_all(client)


async def use_all(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.get(path) for path in PATHS))
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "hello")] * 3


@redis_required
async def ping(request: HttpRequest) -> HttpResponse:
    if django_settings.REDIS_URL:
        async with redis_client() as client:
            await client.ping()
    return HttpResponse("pong")


@pytest.mark.parametrize("down", [True, False])
async def test_view_whose_redis_is_down_is_unavailable(
    rf: RequestFactory, settings: Settings, tmp_path: Path, down: bool
) -> None:
    settings.REDIS_URL = f"unix://{tmp_path}/nobody.sock" if down else ""

    response = await ping(rf.get("/"))

    assert response.status_code == (503 if down else 200)
    assert response.headers.get("Retry-After") == ("5" if down else None)


async def test_defect_of_a_view_is_not_taken_for_a_redis_that_is_down(rf: RequestFactory) -> None:
    @redis_required
    async def broken(request: HttpRequest) -> HttpResponse:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await broken(rf.get("/"))

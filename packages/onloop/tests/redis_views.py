"""A URLconf with views that use what is in Redis."""

from channels.layers import get_channel_layer
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.urls import path

from onloop.redis import redis_client


async def use_client(request: HttpRequest) -> HttpResponse:
    async with redis_client() as client:
        return HttpResponse(await client.echo("hello"))


def use_cache(request: HttpRequest) -> HttpResponse:
    cache.set("greeting", "hello")
    return HttpResponse(cache.get("greeting"))


async def use_channel_layer(request: HttpRequest) -> HttpResponse:
    layer = get_channel_layer()
    assert layer
    await layer.send("greetings", {"type": "greeting", "text": "hello"})
    return HttpResponse((await layer.receive("greetings"))["text"])


urlpatterns = [
    path("client/", use_client),
    path("cache/", use_cache),
    path("layer/", use_channel_layer),
]

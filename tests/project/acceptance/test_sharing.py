"""The cache and the channel layer that processes share in Redis."""

import subprocess
import sys

import pytest


def test_processes_share_the_cache_and_the_channel_layer_in_redis(
    monkeypatch: pytest.MonkeyPatch, redis_url: str
) -> None:
    monkeypatch.setenv("REDIS_URL", redis_url)
    prelude = (
        "import django; django.setup()\n"
        "from asgiref.sync import async_to_sync\n"
        "from channels.layers import get_channel_layer\n"
        "from django.core.cache import cache\n"
    )
    write = "cache.set('a', 1); async_to_sync(get_channel_layer().send)('b', {'type': 'hi'})"
    read = "print(cache.get('a'), async_to_sync(get_channel_layer().receive)('b'))"

    for statement in (write, read):
        process = subprocess.run(
            [sys.executable, "-c", prelude + statement],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )

    assert process.stdout == "1 {'type': 'hi'}\n"

"""Microseconds of one call through an upstream, by concern, in a process of the rendered project.

Every variant is measured in turn, in short rounds, and the median of its rounds counts. Apart from
the last ones, what carries the calls is a transport that answers at once, so that the differences
are those of the concerns alone. Prints one JSON object: the figures by variant.
"""

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from importlib import import_module
from statistics import median
from time import perf_counter
from typing import Any

import httpx
import uvloop

import_module("config.asgi")  # The project's settings, and its way to run.
http: Any = import_module("onloop.http")

CALLS = 100
ROUNDS = 41
BODY = b'{"message": "Hello World!", "task_id": "1"}'
HEADERS = {"Content-Type": "application/json", "Cache-Control": "max-age=600"}
CONCERNS: dict[str, Any] = {
    "retries": {"retries": 2},
    "hedging": {"hedge": True},
    "rate": {"rate": "999999/second"},
    "single-flight": {"coalesce": True},
    "cache": {"cache": http.Cache()},
}
BARE = {"retries": 0, "hedge": False, "breaker": http.Breaker(percent=0), "max_connections": 1000}

type Call = Callable[[], Awaitable[object]]


class AtOnce(httpx.AsyncBaseTransport):
    """Answers without a network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=HEADERS, stream=httpx.ByteStream(BODY))


async def rounds(variants: dict[str, Call]) -> dict[str, float]:
    """Microseconds of one call of each variant."""
    samples: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, call in variants.items():
            start = perf_counter()
            for _ in range(CALLS):
                await call()
            samples[name].append((perf_counter() - start) / CALLS * 1e6)
    return {name: median(values) for name, values in samples.items()}


def mocked(mocks: ExitStack, name: str, **options: object) -> Call:
    """A call through an upstream with these options, without a network."""
    upstream = http.Upstream(name, base_url="http://upstream/", **BARE | options)
    mocks.enter_context(upstream.mock(AtOnce()))
    if "cache" not in options:
        return lambda: upstream.get("/")
    return lambda: upstream.get("/", headers={"Cache-Control": "no-cache"})


async def main(url: str, mocks: ExitStack) -> None:
    client = httpx.AsyncClient(transport=AtOnce())
    kept = http.Upstream("kept", base_url=url, cache=http.Cache(fresh=600))
    called = http.Upstream("called", base_url=url)
    alone: dict[str, Call] = {
        "httpx.AsyncClient alone": lambda: client.get("http://upstream/"),
        "Upstream: bulkhead, breaker, deadline, timeout": mocked(mocks, "bare"),
    }
    for concern, options in CONCERNS.items():
        alone[f"Upstream with {concern}"] = mocked(mocks, concern, **options)
    served: dict[str, Call] = {
        "over the network": lambda: called.get("/"),
        "over the network, get_body()": lambda: called.get_body(url, timeout=10, max_bytes=1000),
        "from the cache": lambda: kept.get("/"),
    }
    async with http.shared_http_client():
        print(json.dumps({"calls": await rounds(alone), "cached": await rounds(served)}))


if __name__ == "__main__":
    with ExitStack() as mocks:
        uvloop.run(main(sys.argv[1], mocks))

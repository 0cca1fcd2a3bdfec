"""Answers that are invalid after a change: RFC 9111, section 4.4."""

import asyncio

import httpx
import pytest

from onloop.http.cache import Cache

from .conftest import Calls, Clock, Origin


@pytest.fixture
async def filled(calls: Calls, origin: Origin) -> Calls:
    """Calls with stored answers of `/`, for two callers in two languages, and of `/other`."""
    origin.reply(cache_control="max-age=60", vary="Accept-Language")
    for path in ("/", "/other"):
        for user in ("ada", "eve"):
            for language in ("en", "de"):
                await calls.get(path, authorization=user, accept_language=language)
    return calls


async def outcomes(calls: Calls, path: str) -> set[str | None]:
    return {
        await calls.outcome(
            path,
            authorization=user,
            accept_language=language,
            cache_control="only-if-cached",
        )
        for user in ("ada", "eve")
        for language in ("en", "de")
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "UNKNOWN"])
@pytest.mark.parametrize("status", [200, 204, 303])
async def test_unsafe_method_invalidates_all_answers_of_its_url(
    filled: Calls, origin: Origin, method: str, status: int
) -> None:
    origin.reply(status=status)
    await filled.send(method, "/", authorization="admin")
    assert await outcomes(filled, "/") == {"miss"}
    assert await outcomes(filled, "/other") == {"hit"}

    origin.reply(cache_control="max-age=60")
    assert [await filled.outcome("/"), await filled.outcome("/")] == ["miss", "hit"]


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "HEAD"])
async def test_safe_method_invalidates_nothing(filled: Calls, origin: Origin, method: str) -> None:
    await filled.send(method, "/")
    assert await outcomes(filled, "/") == {"hit"}


@pytest.mark.parametrize("status", [400, 404, 500])
async def test_failed_change_invalidates_nothing(
    filled: Calls, origin: Origin, status: int
) -> None:
    origin.reply(status=status)
    await filled.send("POST", "/")
    assert await outcomes(filled, "/") == {"hit"}


@pytest.mark.parametrize("header", ["location", "content-location"])
@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("/other", "miss"),
        ("other#part", "miss"),
        ("http://origin/other", "miss"),
        ("http://[", "hit"),
    ],
)
async def test_named_urls_of_the_same_origin_are_invalid_too(
    filled: Calls, origin: Origin, header: str, value: str, outcome: str
) -> None:
    origin.reply("", 201, (header, value))
    await filled.send("POST", "/")
    assert await outcomes(filled, "/other") == {outcome}


@pytest.mark.parametrize(
    "url", ["https://origin/", "http://elsewhere/", "http://origin:8080/", "//elsewhere/"]
)
async def test_urls_of_other_origins_stay_valid(calls: Calls, origin: Origin, url: str) -> None:
    stored = url if ":" in url else f"http:{url}"
    origin.reply(cache_control="max-age=60")
    await calls.get(stored)
    origin.reply(status=201, location=url, content_location=url)
    await calls.send("POST", "/")
    assert await calls.outcome(stored) == "hit"


@pytest.mark.parametrize("known", ["nothing", "an answer", "an answer with another Vary"])
async def test_answer_on_its_way_during_a_change_is_not_stored(known: str) -> None:
    received, changed = asyncio.Event(), asyncio.Event()

    async def answer(request: httpx.Request) -> httpx.Response:
        headers = {"cache-control": "max-age=60"}
        if request.headers.get("user-agent") == "slow":
            received.set()
            await changed.wait()
            if "Vary" in known:
                headers["vary"] = "Accept"
        return httpx.Response(200, headers=headers)

    calls = Calls(httpx.MockTransport(answer), Cache(), Clock())
    if known != "nothing":
        await calls.get()
    reading = asyncio.create_task(calls.get(user_agent="slow", cache_control="no-cache"))
    await received.wait()
    await calls.send("POST", "/")
    changed.set()
    await reading
    assert await calls.outcome(cache_control="only-if-cached") == "miss"
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "hit"]

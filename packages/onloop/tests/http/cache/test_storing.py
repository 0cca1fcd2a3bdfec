"""Which answers are stored, and what of them: RFC 9111, sections 3 and 5.2.2."""

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from onloop.http.cache import Cache

from .conftest import Caching, Calls, Clock, Origin


async def test_answer_is_used_again_while_it_is_fresh(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", cache_control="max-age=60", content_type="text/plain")
    first = await calls.get()
    origin.reply("two")
    clock.now += 59
    second = await calls.get()

    assert (first.extensions["cache"], second.extensions["cache"]) == ("miss", "hit")
    assert first.text == second.text == "one"
    assert second.status_code == 200
    assert second.headers["content-type"] == "text/plain"
    assert len(origin.requests) == 1


async def test_urls_do_not_share_answers(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    urls = ("/", "/a", "/a?b=1", "/a?b=2", "/A", "http://other/", "https://origin/")
    assert [await calls.outcome(url) for url in urls] == ["miss"] * 7
    assert [await calls.outcome(url) for url in urls] == ["hit"] * 7
    assert await calls.outcome("/a?b=2#fragment") == "hit"
    assert await calls.outcome("/", host="another") == "miss"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "SEARCH"])
async def test_other_methods_pass_through(calls: Calls, origin: Origin, method: str) -> None:
    origin.reply("x", cache_control="max-age=60")
    for _ in range(2):
        assert "cache" not in (await calls.send(method)).extensions
    assert len(origin.requests) == 2


async def test_request_with_a_body_passes_through(calls: Calls, origin: Origin) -> None:
    origin.reply("x", cache_control="max-age=60")
    client = httpx.AsyncClient(transport=calls.transport, base_url="http://origin")
    for query in (b"a", b"b"):
        response = await client.request("GET", "/_search", content=query)
        assert "cache" not in response.extensions
    assert [request.content for request in origin.requests] == [b"a", b"b"]


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
async def test_heuristically_cacheable_status_needs_no_directive(
    caching: Caching, origin: Origin, status: int
) -> None:
    calls = caching(Cache(fresh=5))
    origin.reply(status=status)
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "hit"]


@pytest.mark.parametrize("status", [302, 303, 307, 400, 401, 403, 429, 500, 502, 503, 504, 599])
async def test_other_status_needs_explicit_freshness(
    caching: Caching, origin: Origin, status: int
) -> None:
    calls = caching(Cache(fresh=5))
    origin.reply(status=status)
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]
    origin.reply(status=status, cache_control="max-age=60")
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "hit"]


@pytest.mark.parametrize(
    "headers",
    [
        {"cache_control": "max-age=0"},
        {"cache_control": "public"},
        {"cache_control": "private"},
        {"expires": "0"},
    ],
)
async def test_directives_make_any_status_storable(
    calls: Calls, origin: Origin, headers: dict[str, str]
) -> None:
    origin.reply(status=302, etag='"a"', **headers)
    await calls.get()
    await calls.get()
    assert origin.last.headers["if-none-match"] == '"a"'


@pytest.mark.parametrize("status", [206, 304])
@pytest.mark.parametrize("directive", ["public", "must-understand", "must-understand, no-store"])
async def test_parts_are_not_stored(
    calls: Calls, origin: Origin, status: int, directive: str
) -> None:
    origin.reply(status=status, cache_control=f"max-age=60, {directive}")
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


@pytest.mark.parametrize(
    "directive", ["no-store", "No-Store", "max-age=60, no-store", "public,no-store"]
)
async def test_no_store_is_not_stored(calls: Calls, origin: Origin, directive: str) -> None:
    origin.reply(cache_control=directive, expires="Fri, 01 Jan 2038 01:01:01 GMT")
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


async def test_answer_that_is_not_stored_replaces_an_older_one(
    calls: Calls, origin: Origin
) -> None:
    origin.reply(cache_control="max-age=60, stale-if-error=600")
    await calls.get()
    origin.reply(cache_control="no-store")
    assert await calls.outcome(cache_control="no-cache") == "miss"

    origin.fail(httpx.ConnectError("down"))
    with pytest.raises(httpx.ConnectError):
        await calls.get()


@pytest.mark.parametrize("status", [429, 500])
async def test_passing_failure_does_not_replace_an_older_one(
    calls: Calls, origin: Origin, status: int
) -> None:
    origin.reply("one", cache_control="max-age=60")
    await calls.get()
    origin.reply("sorry", status)
    assert await calls.outcome(cache_control="no-cache") == "miss"
    assert await calls.outcome() == "hit"


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "hit"), (302, "hit"), (404, "hit"), (400, "miss"), (599, "miss")]
)
async def test_must_understand_outweighs_no_store_if_the_status_is_understood(
    calls: Calls, origin: Origin, status: int, outcome: str
) -> None:
    origin.reply(status=status, cache_control="max-age=60, no-store, must-understand")
    await calls.get()
    assert await calls.outcome() == outcome


async def test_answer_of_no_use_is_not_stored(calls: Calls, origin: Origin) -> None:
    for directive in ("max-age=0", "no-cache", "public", "max-age=5"):
        origin.reply(cache_control=directive, age="5")
        assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


async def test_streamed_answers_are_not_stored(calls: Calls, origin: Origin) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"chunk"

    headers = {"cache-control": "max-age=60", "content-type": "text/event-stream"}
    origin.answer = lambda _: httpx.Response(200, headers=headers, content=chunks())
    for _ in range(2):
        response = await calls.get()
        assert (response.text, response.extensions["cache"]) == ("chunk", "miss")


async def test_request_for_a_stream_passes_through(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    client = httpx.AsyncClient(transport=calls.transport)
    for _ in range(2):
        response = await client.get("http://origin/", extensions={"stream": True})
        assert "cache" not in response.extensions
    assert len(origin.requests) == 2


async def test_headers_are_stored_but_for_those_of_the_connection(
    calls: Calls, origin: Origin
) -> None:
    dropped = {
        "connection": "X-Hop, close",
        "x-hop": "1",
        "keep-alive": "timeout=5",
        "proxy-authenticate": "Basic",
        "proxy-authentication-info": "x",
        "proxy-authorization": "x",
        "proxy-connection": "close",
        "te": "trailers",
        "trailer": "X-Checksum",
        "transfer-encoding": "chunked",
        "upgrade": "h2c",
    }
    kept = [("x-unknown", "1"), ("x-unknown", "2"), ("cache-control", "max-age=60")]
    origin.reply("body", 200, *dropped.items(), *kept)
    await calls.get()
    response = await calls.get()
    assert response.headers.multi_items() == [*kept, ("age", "0")]


async def test_body_is_stored_as_it_came(calls: Calls, origin: Origin) -> None:
    headers = {"cache-control": "max-age=60", "content-encoding": "gzip"}
    stream = httpx.ByteStream(gzip.compress(b"body"))
    origin.answer = lambda _: httpx.Response(200, headers=headers, stream=stream)
    for _ in range(2):
        response = await calls.get()
        assert (response.text, response.headers["content-encoding"]) == ("body", "gzip")
    assert len(origin.requests) == 1


async def test_answer_that_sets_a_cookie_is_not_stored(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="public, max-age=60", set_cookie="session=1")
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


@pytest.mark.parametrize(
    "form", ['no-cache="Set-Cookie, X-User"', "no-cache=Set-Cookie, no-cache=x"]
)
async def test_no_cache_with_names_withholds_only_these_headers(
    calls: Calls, origin: Origin, form: str
) -> None:
    origin.reply(cache_control=f"max-age=60, {form}", set_cookie="session=1")
    assert "set-cookie" in (await calls.get()).headers
    response = await calls.get()
    assert response.extensions["cache"] == "hit"
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("form", ["no-cache", 'no-cache=""', "NO-CACHE"])
async def test_no_cache_is_validated_before_each_use(
    calls: Calls, origin: Origin, form: str
) -> None:
    origin.reply("one", etag='"a"', cache_control=f"max-age=60, {form}, stale-while-revalidate=60")
    await calls.get()
    origin.reply(status=304, etag='"a"', cache_control=f"max-age=60, {form}")
    for _ in range(2):
        response = await calls.get(cache_control="max-stale")
        assert (response.text, response.extensions["cache"]) == ("one", "revalidated")


@pytest.mark.parametrize(("is_shared", "outcome"), [(False, "hit"), (True, "miss")])
async def test_private_is_stored_in_a_private_cache_only(
    caching: Caching, origin: Origin, is_shared: bool, outcome: str
) -> None:
    calls = caching(Cache(shared=is_shared))
    origin.reply(cache_control="private, max-age=60")
    await calls.get()
    assert await calls.outcome() == outcome


@pytest.mark.parametrize(("is_shared", "kept"), [(False, True), (True, False)])
async def test_private_with_names_withholds_these_headers_from_a_shared_cache(
    caching: Caching, origin: Origin, is_shared: bool, kept: bool
) -> None:
    calls = caching(Cache(shared=is_shared))
    origin.reply(cache_control='max-age=60, private="X-User"', x_user="ada")
    await calls.get()
    response = await calls.get()
    assert response.extensions["cache"] == "hit"
    assert ("x-user" in response.headers) is kept

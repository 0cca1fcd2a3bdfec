"""Validation of stored answers: RFC 9111, sections 3.2 and 4.3."""

import httpx
import pytest

from onloop.http.cache import Cache

from .conftest import Caching, Calls, Clock, ClosedStream, Origin

MODIFIED = "Sun, 09 Sep 2001 00:00:00 GMT"


async def test_stale_answer_is_validated_with_its_validators(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", cache_control="max-age=5", etag='"a"', last_modified=MODIFIED)
    await calls.get(accept="a/b", authorization="secret")
    clock.now += 5
    origin.reply(status=304, etag='"a"', cache_control="max-age=9", x_new="1", date=clock.header())
    response = await calls.get(accept="a/b", authorization="secret")

    assert (response.text, response.status_code) == ("one", 200)
    assert response.extensions["cache"] == "revalidated"
    assert "age" not in response.headers
    sent = origin.last.headers
    assert (sent["if-none-match"], sent["if-modified-since"]) == ('"a"', MODIFIED)
    assert (sent["accept"], sent["authorization"], sent["host"]) == ("a/b", "secret", "origin")

    clock.now += 8
    response = await calls.get(accept="a/b", authorization="secret")
    assert (response.text, response.extensions["cache"]) == ("one", "hit")
    assert (response.headers["x-new"], response.headers["age"]) == ("1", "8")
    assert len(origin.requests) == 2


@pytest.mark.parametrize(
    ("validator", "condition"),
    [("etag", "if-none-match"), ("last-modified", "if-modified-since")],
)
async def test_only_validators_of_the_answer_are_sent(
    calls: Calls, origin: Origin, validator: str, condition: str
) -> None:
    origin.reply("", 200, (validator, MODIFIED), ("cache-control", "max-age=0"))
    await calls.get()
    origin.reply(status=304)
    assert await calls.outcome() == "revalidated"
    sent = {"if-none-match", "if-modified-since"} & set(origin.last.headers)
    assert sent == {condition}


async def test_answer_without_validators_is_requested_again(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply(cache_control="max-age=5, stale-if-error=60")
    await calls.get()
    clock.now += 5
    origin.reply("two", cache_control="max-age=5")
    assert (await calls.get()).text == "two"
    assert not {"if-none-match", "if-modified-since"} & set(origin.last.headers)


async def test_entity_tag_is_sent_as_it_came(calls: Calls, origin: Origin) -> None:
    raw = b'"\xc3\xa9\xff"'
    headers = [(b"ETag", raw)]
    origin.answer = lambda _: httpx.Response(200, headers=headers, stream=httpx.ByteStream(b""))
    await calls.get()
    await calls.get()
    assert (b"If-None-Match", raw) in origin.last.headers.raw


async def test_full_answer_replaces_the_stored_one(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", cache_control="max-age=5", etag='"a"', x_old="1")
    await calls.get()
    clock.now += 5
    origin.reply("two", cache_control="max-age=5", etag='"b"')
    assert (await calls.get()).extensions["cache"] == "miss"
    response = await calls.get()
    assert (response.text, response.extensions["cache"]) == ("two", "hit")
    assert "x-old" not in response.headers


@pytest.mark.parametrize(
    ("stored", "sent"), [('"a"', 'W/"a"'), ('W/"a"', '"a"'), ('W/"a"', 'W/"a"')]
)
async def test_entity_tags_are_compared_weakly(
    calls: Calls, origin: Origin, stored: str, sent: str
) -> None:
    origin.reply("one", etag=stored)
    await calls.get()
    origin.reply(status=304, etag=sent)
    assert await calls.outcome() == "revalidated"


async def test_304_about_another_answer_updates_nothing(calls: Calls, origin: Origin) -> None:
    origin.reply("one", etag='"a"')
    await calls.get()

    def answer(request: httpx.Request) -> httpx.Response:
        if "if-none-match" in request.headers:
            return httpx.Response(304, headers={"etag": '"b"', "x-new": "1"})
        return httpx.Response(200, headers={"etag": '"b"'}, content=b"two")

    origin.answer = answer
    response = await calls.get()
    assert (response.text, response.extensions["cache"]) == ("two", "miss")
    assert len(origin.requests) == 3


async def test_304_replaces_headers_but_for_those_of_the_body(calls: Calls, origin: Origin) -> None:
    stored = [
        ("etag", '"a"'),
        ("x-both", "old"),
        ("x-stored", "1"),
        ("content-length", "3"),
        ("content-encoding", "identity"),
        ("date", "Sun, 09 Sep 2001 00:00:00 GMT"),
    ]
    origin.reply("one", 200, *stored)
    await calls.get()
    sent = [
        ("x-both", "new"),
        ("x-both", "newer"),
        ("content-length", "0"),
        ("content-encoding", "gzip"),
        ("content-range", "bytes 0-1/2"),
        ("content-type", "text/plain"),
        ("connection", "close"),
        ("cache-control", "max-age=60"),
        ("age", "3"),
    ]
    origin.reply("", 304, *sent)
    revalidated = await calls.get()
    hit = await calls.get()

    expected = [
        ("etag", '"a"'),
        ("x-stored", "1"),
        ("content-length", "3"),
        ("content-encoding", "identity"),
        ("x-both", "new"),
        ("x-both", "newer"),
        ("content-type", "text/plain"),
        ("cache-control", "max-age=60"),
        ("age", "3"),
    ]
    assert (revalidated.text, revalidated.extensions["cache"]) == ("one", "revalidated")
    assert (hit.text, hit.extensions["cache"]) == ("one", "hit")
    assert revalidated.headers.multi_items() == expected
    assert hit.headers.multi_items() == expected


async def test_streamed_304_is_closed(calls: Calls, origin: Origin) -> None:
    stream = ClosedStream()
    origin.reply("one", etag='"a"')
    await calls.get()
    origin.answer = lambda _: httpx.Response(304, stream=stream)
    assert await calls.outcome() == "revalidated"
    assert stream.is_closed


async def test_304_that_forbids_storing_removes_the_stored_answer(
    calls: Calls, origin: Origin
) -> None:
    origin.reply("one", etag='"a"')
    await calls.get()
    origin.reply(status=304, etag='"a"', cache_control="no-store")
    assert (await calls.get()).text == "one"
    origin.reply("two")
    assert await calls.outcome() == "miss"
    assert "if-none-match" not in origin.last.headers


async def test_304_without_a_date_is_of_now(calls: Calls, origin: Origin, clock: Clock) -> None:
    origin.reply("one", etag='"a"', cache_control="max-age=5", date=clock.header())
    await calls.get()
    clock.now += 100
    origin.reply(status=304, cache_control="max-age=5")
    await calls.get()
    assert await calls.outcome() == "hit"


async def test_304_may_change_what_selects_the_answer(calls: Calls, origin: Origin) -> None:
    origin.reply("one", etag='"a"')
    await calls.get(accept="a/b")
    origin.reply(status=304, vary="Accept", cache_control="max-age=60")
    await calls.get(accept="a/b")
    assert await calls.outcome(accept="a/b") == "hit"
    assert await calls.outcome(accept="c/d") == "miss"


async def test_stale_answer_is_kept_for_validation_for_a_while(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", etag='"a"', cache_control="max-age=5")
    await calls.get()
    clock.now += 3_000
    origin.reply(status=304, etag='"a"')
    assert await calls.outcome() == "revalidated"


@pytest.mark.parametrize(
    "condition", ["if_none_match", "if_match", "if_modified_since", "if_unmodified_since", "range"]
)
async def test_conditions_and_ranges_of_the_caller_pass_through(
    calls: Calls, origin: Origin, condition: str
) -> None:
    origin.reply("one", cache_control="max-age=60", etag='"a"')
    await calls.get()
    origin.reply(status=304, etag='"b"', cache_control="max-age=60")
    response = await calls.get(**{condition: "x", "if_range": '"a"'})
    assert response.status_code == 304
    assert "cache" not in response.extensions
    assert (await calls.get()).text == "one"


async def test_head_is_answered_from_a_stored_answer_to_get(calls: Calls, origin: Origin) -> None:
    origin.reply("one", cache_control="max-age=60", content_length="3")
    await calls.get()
    response = await calls.send("HEAD")
    assert (response.content, response.extensions["cache"]) == (b"", "hit")
    assert (response.headers["content-length"], response.headers["age"]) == ("3", "0")
    assert len(origin.requests) == 1


async def test_answers_to_head_are_not_stored(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    for _ in range(2):
        assert (await calls.send("HEAD")).extensions["cache"] == "miss"
    assert await calls.outcome() == "miss"


async def test_head_updates_a_stored_answer_that_is_the_same(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", cache_control="max-age=5", etag='"a"', content_length="3")
    await calls.get()
    clock.now += 5
    origin.reply("", cache_control="max-age=9", etag='"a"', content_length="3", x_new="1")
    response = await calls.send("HEAD")
    assert response.extensions["cache"] == "miss"
    assert "if-none-match" not in origin.last.headers
    response = await calls.get()
    assert (response.text, response.extensions["cache"]) == ("one", "hit")
    assert response.headers["x-new"] == "1"


@pytest.mark.parametrize(
    "changed", [("etag", '"b"'), ("last-modified", MODIFIED), ("content-length", "4")]
)
async def test_head_deletes_a_stored_answer_that_is_another(
    caching: Caching, origin: Origin, clock: Clock, changed: tuple[str, str]
) -> None:
    calls = caching(Cache(fresh=5))
    origin.reply("one", etag='"a"', content_length="3")
    await calls.get()
    clock.now += 5
    origin.reply("", 200, changed)
    await calls.send("HEAD")
    await calls.get()
    assert "if-none-match" not in origin.last.headers


async def test_head_deletes_a_stored_answer_of_another_status(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(Cache(fresh=5, stale_if_error=60))
    origin.reply("not found", 404)
    await calls.get()
    clock.now += 5
    origin.reply("")
    await calls.send("HEAD")
    origin.reply("found")
    response = await calls.get()
    assert (response.status_code, response.text) == (200, "found")


async def test_head_without_success_changes_nothing(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(Cache(fresh=5))
    origin.reply("one", etag='"a"')
    await calls.get()
    clock.now += 5
    origin.reply("", 404, etag='"b"')
    await calls.send("HEAD")
    await calls.get()
    assert origin.last.headers["if-none-match"] == '"a"'

"""Stale answers: RFC 9111, section 4.2.4, and RFC 5861."""

import httpx
import pytest

from onloop.http import exceptions
from onloop.http.cache import Cache

from .conftest import Caching, Calls, Clock, ClosedStream, Origin

DECLARED = Cache(fresh=5, stale_while_revalidate=10, stale_if_error=20)
FAILURES = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("late"),
    httpx.ReadTimeout("late"),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("not HTTP"),
    httpx.DecodingError("not gzip"),
    httpx.ProxyError("no proxy"),
    exceptions.DNSError("unknown"),
    exceptions.CircuitOpenError("open"),
    exceptions.RateLimitExceeded("too many"),
    exceptions.BulkheadFull("full"),
    exceptions.DeadlineExceeded("late"),
    exceptions.BodyTooLarge("large"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda error: type(error).__name__)
async def test_failed_call_is_answered_with_a_stale_answer(
    calls: Calls, origin: Origin, clock: Clock, failure: Exception
) -> None:
    origin.reply("one", cache_control="max-age=5, stale-if-error=20", etag='"a"')
    await calls.get()
    origin.fail(failure)
    clock.now += 25
    response = await calls.get()
    assert (response.text, response.extensions["cache"]) == ("one", "stale")
    assert response.headers["age"] == "25"
    clock.now += 1
    with pytest.raises(type(failure)):
        await calls.get()


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_error_status_is_answered_with_a_stale_answer(
    calls: Calls, origin: Origin, clock: Clock, status: int
) -> None:
    origin.reply("one", cache_control="max-age=5, stale-if-error=20")
    await calls.get()
    origin.reply("sorry", status, cache_control="max-age=60")
    clock.now += 25
    for _ in range(2):
        response = await calls.get()
        assert (response.text, response.extensions["cache"]) == ("one", "stale")
    clock.now += 1
    assert (await calls.get()).text == "sorry"


async def test_stored_error_is_replaced_and_never_stale(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(DECLARED)
    origin.reply("sorry", 503, cache_control="max-age=5")
    await calls.get()
    clock.now += 6
    origin.fail(httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        await calls.get()
    origin.reply("still sorry", 503, cache_control="max-age=5")
    await calls.get()
    response = await calls.get()
    assert (response.text, response.extensions["cache"]) == ("still sorry", "hit")


@pytest.mark.parametrize("status", [400, 403, 404, 410, 429, 501, 505])
async def test_other_status_is_no_error(
    calls: Calls, origin: Origin, clock: Clock, status: int
) -> None:
    origin.reply("one", cache_control="max-age=5, stale-if-error=20")
    await calls.get()
    origin.reply("sorry", status)
    clock.now += 5
    assert (await calls.get()).text == "sorry"


async def test_streamed_error_is_closed(calls: Calls, origin: Origin, clock: Clock) -> None:
    stream = ClosedStream()
    origin.reply("one", cache_control="max-age=0, stale-if-error=20")
    await calls.get()
    origin.answer = lambda _: httpx.Response(503, stream=stream)
    assert (await calls.get()).text == "one"
    assert stream.is_closed


async def test_nothing_stored_leaves_the_error_as_it_is(calls: Calls, origin: Origin) -> None:
    error = httpx.ConnectError("refused")
    origin.fail(error)
    with pytest.raises(httpx.ConnectError) as caught:
        await calls.get()
    assert caught.value is error


async def test_defect_is_no_failure_of_the_upstream(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", cache_control="max-age=0, stale-if-error=20")
    await calls.get()
    origin.fail(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await calls.get()


async def test_declaration_is_for_answers_that_say_nothing_of_errors(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(Cache(fresh=5, stale_if_error=20))
    for path, header in (("/", "x=1"), ("/2", "stale-if-error=2"), ("/0", "stale-if-error=0")):
        origin.reply(cache_control=header)
        await calls.get(path)
    origin.reply(status=503)
    clock.now += 6
    outcomes = [await calls.outcome(path) for path in ("/", "/2", "/0")]
    clock.now += 10
    outcomes += [await calls.outcome(path) for path in ("/", "/2")]
    assert outcomes == ["stale", "stale", "miss", "stale", "miss"]


@pytest.mark.parametrize(
    ("value", "outcome"),
    [
        ("stale-if-error=15", "stale"),
        ("stale-if-error=14", "miss"),
        ("stale-if-error=15, max-age=1", "stale"),
        ("stale-if-error=15, no-cache", "miss"),
        ("x=1", "miss"),
    ],
)
async def test_request_may_say_how_stale_its_answer_may_be(
    calls: Calls, origin: Origin, clock: Clock, value: str, outcome: str
) -> None:
    origin.reply(cache_control="max-age=5", etag='"a"')
    await calls.get()
    origin.reply(status=503)
    clock.now += 20
    assert await calls.outcome(cache_control=value) == outcome


@pytest.mark.parametrize(
    ("is_shared", "directive"),
    [
        (False, "must-revalidate, max-age=5"),
        (False, "no-cache"),
        (True, "proxy-revalidate, max-age=5"),
        (True, "s-maxage=5"),
        (True, "must-revalidate, max-age=5"),
    ],
)
async def test_upstream_may_forbid_stale_answers(
    caching: Caching, origin: Origin, clock: Clock, is_shared: bool, directive: str
) -> None:
    calls = caching(Cache(stale_while_revalidate=99, stale_if_error=99, shared=is_shared))
    stale = "stale-while-revalidate=99, stale-if-error=99"
    origin.reply("one", cache_control=f"{directive}, {stale}", etag='"a"')
    await calls.get()
    origin.fail(httpx.ConnectError("refused"))
    clock.now += 6
    for wish in ("", "max-stale", "stale-if-error=99"):
        with pytest.raises(httpx.ConnectError):
            await calls.get(cache_control=wish)


@pytest.mark.parametrize("directive", ["proxy-revalidate, max-age=5", "s-maxage=1, max-age=5"])
async def test_private_cache_ignores_what_is_for_shared_ones(
    caching: Caching, origin: Origin, clock: Clock, directive: str
) -> None:
    calls = caching(Cache(stale_if_error=99))
    origin.reply("one", cache_control=directive)
    await calls.get()
    origin.fail(httpx.ConnectError("refused"))
    clock.now += 6
    assert await calls.outcome() == "stale"


async def test_head_is_answered_with_a_stale_answer_too(
    calls: Calls, origin: Origin, clock: Clock
) -> None:
    origin.reply("one", cache_control="max-age=5, stale-if-error=20")
    await calls.get()
    origin.fail(httpx.ConnectError("refused"))
    clock.now += 6
    response = await calls.send("HEAD")
    assert (response.content, response.extensions["cache"]) == (b"", "stale")


async def test_fresh_answer_replaces_a_failed_validation_only_if_that_is_allowed(
    calls: Calls, origin: Origin
) -> None:
    origin.reply(cache_control="max-age=60")
    await calls.get()
    origin.fail(httpx.ConnectError("refused"))
    with pytest.raises(httpx.ConnectError):
        await calls.get(cache_control="max-age=0, min-fresh=99")
    assert await calls.outcome(cache_control="max-age=0, min-fresh=99, stale-if-error=1") == "stale"


async def test_calls_are_counted_by_their_outcome(
    caching: Caching, origin: Origin, clock: Clock
) -> None:
    calls = caching(DECLARED)
    origin.reply("one", etag='"a"')
    for _ in range(3):
        await calls.get()
    origin.reply(status=304, etag='"a"')
    for _ in range(3):
        await calls.get(cache_control="no-cache")
    clock.now += 20
    origin.reply(status=503)
    for _ in range(4):
        await calls.get()
    await calls.send("POST")
    await calls.get(cache_control="no-store")
    transport = calls.transport
    counted = (transport.misses, transport.hits, transport.revalidated, transport.stale)
    assert counted == (1, 2, 3, 4)

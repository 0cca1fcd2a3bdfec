"""Which of a URL's answers a request gets: RFC 9111, section 4.1."""

import pytest

from .conftest import Calls, Origin


async def test_selecting_headers_must_match(calls: Calls, origin: Origin) -> None:
    origin.reply("English", vary="Accept-Language", cache_control="max-age=60")
    await calls.get(accept_language="en")
    origin.reply("Deutsch", vary="accept-language", cache_control="max-age=60")
    assert (await calls.get(accept_language="de")).text == "Deutsch"

    origin.reply("none", vary="Accept-Language", cache_control="max-age=60")
    assert (await calls.get(accept_language="en")).text == "English"
    assert (await calls.get(accept_language="de")).text == "Deutsch"
    assert (await calls.get()).text == "none"
    assert (await calls.get(accept_language="")).extensions["cache"] == "miss"
    assert len(origin.requests) == 4


async def test_other_headers_do_not_matter(calls: Calls, origin: Origin) -> None:
    origin.reply(vary="Accept-Language", cache_control="max-age=60")
    await calls.get(accept_language="en", user_agent="a")
    assert await calls.outcome(accept_language="en", user_agent="b") == "hit"


async def test_all_of_several_headers_must_match(calls: Calls, origin: Origin) -> None:
    origin.reply(
        "",
        200,
        ("vary", "Accept, accept-language"),
        ("vary", "User-Agent"),
        ("cache-control", "max-age=60"),
    )
    one = {"accept": "a/b", "accept_language": "en", "user_agent": "x"}
    await calls.get(**one)
    assert await calls.outcome(**one) == "hit"
    for name in one:
        assert await calls.outcome(**{**one, name: "other"}) == "miss"


async def test_whitespace_and_lines_do_not_matter(calls: Calls, origin: Origin) -> None:
    origin.reply(vary="Accept", cache_control="max-age=60")
    await calls.get(accept="a/b,c/d;q=0.5")
    assert await calls.outcome(accept=" a/b ,\tc/d;q=0.5 ") == "hit"
    assert await calls.outcome(accept="c/d;q=0.5,a/b") == "miss"


@pytest.mark.parametrize("value", ["*", "*, *", ", *", "*, Accept", "Accept, *"])
async def test_star_never_matches(calls: Calls, origin: Origin, value: str) -> None:
    origin.reply(vary=value, cache_control="max-age=60")
    assert [await calls.outcome(), await calls.outcome()] == ["miss", "miss"]


@pytest.mark.parametrize(
    ("header", "value", "other"),
    [
        ("accept", 'a/b;c="d, e"', 'a/b;c="d,e"'),
        ("cookie", "a=1, b", "a=1,b"),
        ("x_any", "1, 2", "1,2"),
    ],
)
async def test_whitespace_that_may_mean_something_matters(
    shared: Calls, origin: Origin, header: str, value: str, other: str
) -> None:
    origin.reply(vary=header.replace("_", "-"), cache_control="public, max-age=60")
    await shared.get(**{header: value})
    assert await shared.outcome(**{header: other}) == "miss"
    assert await shared.outcome(**{header: value}) == "hit"


async def test_too_many_headers_never_match(calls: Calls, origin: Origin) -> None:
    names = [f"x-{number}" for number in range(17)]
    origin.reply(vary=",".join(names[:16]), cache_control="max-age=60")
    assert [await calls.outcome("/16"), await calls.outcome("/16")] == ["miss", "hit"]
    origin.reply(vary=",".join(names), cache_control="max-age=60")
    assert [await calls.outcome("/17"), await calls.outcome("/17")] == ["miss", "miss"]


async def test_headers_of_many_answers_do_not_pile_up(calls: Calls, origin: Origin) -> None:
    for number in range(100):
        origin.reply(vary=f"x-{number}", cache_control="max-age=60")
        await calls.get(cache_control="no-cache")
        assert await calls.outcome() == "hit"
    assert await calls.outcome(x_0="1", accept="a") == "miss"
    origin.reply("new", vary="x-99", cache_control="max-age=60")
    await calls.get(x_99="1", cache_control="no-cache")
    assert (await calls.get(x_99="1")).text == "new"


async def test_header_that_only_some_answers_name_selects_among_all(
    calls: Calls, origin: Origin
) -> None:
    origin.reply("any", cache_control="max-age=60")
    await calls.get(accept_language="en")
    origin.reply("Deutsch", vary="Accept-Language", cache_control="max-age=60")
    await calls.get(accept_language="de", cache_control="no-cache")
    origin.reply("any", cache_control="max-age=60")
    assert await calls.outcome(accept_language="en") == "miss"

    assert (await calls.get(accept_language="de")).text == "Deutsch"
    assert (await calls.get(accept_language="en")).text == "any"
    assert len(origin.requests) == 3


async def test_urls_may_depend_on_different_headers(calls: Calls, origin: Origin) -> None:
    for path, name in (("/a", "Accept"), ("/b", "User-Agent")):
        origin.reply(path, vary=name, cache_control="max-age=60")
        await calls.get(path)
    for path in ("/a", "/b", "/a"):
        response = await calls.get(path)
        assert (response.text, response.extensions["cache"]) == (path, "hit")


async def test_shared_answer_that_depends_on_credentials_is_only_for_them(
    shared: Calls, origin: Origin
) -> None:
    for user in ("ada", "eve"):
        origin.reply(user, vary="Authorization", cache_control="public, max-age=60")
        await shared.get(authorization=user)
    for user in ("ada", "eve"):
        response = await shared.get(authorization=user)
        assert (response.text, response.extensions["cache"]) == (user, "hit")

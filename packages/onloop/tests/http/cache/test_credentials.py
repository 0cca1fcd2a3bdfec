"""Whose answers are used for whom: RFC 9111, sections 3.5 and 7; and what keys reveal."""

import logging
from typing import Any

import httpx
import pytest
from django.core.cache import caches
from pytest_django import Settings

from onloop.http.cache import Cache

from .conftest import Caching, Calls, Origin

CREDENTIALS = [
    {"authorization": "Bearer {}"},
    {"cookie": "session={}"},
    {"proxy_authorization": "Basic {}"},
    {"x_api_key": "{}"},
    {"x_user_id": "{}"},
    {"x_forwarded_for": "{}"},
    {"anything": "{}"},
]


def of(user: str, credentials: dict[str, str]) -> dict[str, str]:
    return {name: value.format(user) for name, value in credentials.items()}


@pytest.mark.parametrize("credentials", CREDENTIALS)
async def test_private_cache_is_one_for_each_set_of_credentials(
    calls: Calls, origin: Origin, credentials: dict[str, str]
) -> None:
    for user in ("ada", "eve", ""):
        origin.reply(f"for {user}", cache_control="private, max-age=60")
        await calls.get(**of(user, credentials))
    for user in ("ada", "eve", ""):
        response = await calls.get(**of(user, credentials))
        assert (response.text, response.extensions["cache"]) == (f"for {user}", "hit")
    assert await calls.outcome() == "miss"


async def test_credentials_cannot_be_split_otherwise(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    await calls.get(x_a="1", x_b="2")
    assert await calls.outcome(x_b="2", x_a="1") == "hit"
    assert await calls.outcome(x_a="1\nx-b: 2") == "miss"
    assert await calls.outcome(x_a="1', b'2") == "miss"
    assert await calls.outcome(x_a="2", x_b="1") == "miss"


async def test_order_of_lines_of_one_header_counts(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    client = httpx.AsyncClient(transport=calls.transport)
    lines = [("X-Forwarded-For", "192.0.2.1"), ("X-Forwarded-For", "192.0.2.2")]
    outcomes = []
    for order in (lines, lines, lines[::-1]):
        response = await client.get("http://origin/", headers=order)
        outcomes.append(response.extensions["cache"])
    assert outcomes == ["miss", "hit", "miss"]


async def test_headers_that_name_nobody_share_an_answer(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    await calls.get()
    assert (
        await calls.outcome(accept="a/b", user_agent="x", x_request_id="1", traceparent="2")
        == "hit"
    )


async def test_credentials_in_the_url_count(calls: Calls, origin: Origin) -> None:
    origin.reply(cache_control="max-age=60")
    await calls.get("http://ada:secret@origin/")
    assert await calls.outcome("http://ada:secret@origin/") == "hit"
    assert await calls.outcome("http://eve:secret@origin/") == "miss"
    assert await calls.outcome() == "miss"


@pytest.mark.parametrize("credentials", CREDENTIALS)
async def test_shared_cache_does_not_store_answers_to_credentials(
    shared: Calls, origin: Origin, credentials: dict[str, str]
) -> None:
    origin.reply(cache_control="max-age=60")
    ada = of("ada", credentials)
    assert [await shared.outcome(**ada), await shared.outcome(**ada)] == ["miss", "miss"]
    assert await shared.outcome() == "miss"


@pytest.mark.parametrize("credentials", CREDENTIALS)
@pytest.mark.parametrize(
    "permission", ["public, max-age=60", "must-revalidate, max-age=60", "s-maxage=60"]
)
async def test_shared_cache_stores_answers_to_credentials_if_that_is_explicitly_allowed(
    shared: Calls, origin: Origin, credentials: dict[str, str], permission: str
) -> None:
    origin.reply(cache_control=permission)
    await shared.get(**of("ada", credentials))
    assert await shared.outcome(**of("eve", credentials)) == "hit"
    assert await shared.outcome() == "hit"


async def test_shared_cache_has_no_anonymous_answer_for_credentials(
    shared: Calls, origin: Origin
) -> None:
    origin.reply("for everybody", cache_control="max-age=60")
    await shared.get()
    origin.reply("for ada", cache_control="max-age=60")
    assert (await shared.get(authorization="ada")).text == "for ada"
    assert (await shared.get()).text == "for everybody"


async def test_keys_logs_and_representations_hold_no_secrets(
    caching: Caching,
    origin: Origin,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="onloop")
    written: list[Any] = []
    cache = caches["upstreams"]
    for name in ("aset", "aadd"):
        method = getattr(cache, name)

        def noted(key: str, *rest: Any, method: Any = method) -> Any:
            written.append(key)
            return method(key, *rest)

        monkeypatch.setattr(cache, name, noted)

    calls = caching(Cache(fresh=60))
    origin.reply("hello", vary="X-Api-Key")
    await calls.get("/hidden?token=hidden", authorization="hidden", x_api_key="hidden")
    await calls.get("http://ada:hidden@origin/", cookie="hidden")

    assert len(written) == 4
    assert all(key.startswith("upstream:origin:") for key in written)
    assert "hidden" not in f"{written} {caplog.text} {calls.transport!r} {vars(calls.transport)}"


async def test_keys_depend_on_the_secret_key(
    caching: Caching, origin: Origin, settings: Settings
) -> None:
    origin.reply(cache_control="max-age=60")
    await caching().get()
    assert await caching().outcome() == "hit"
    settings.SECRET_KEY = "another" * 10
    assert await caching().outcome() == "miss"

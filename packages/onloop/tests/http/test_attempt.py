"""One attempt: what it makes of the body of an answer."""

import gzip
import zlib

import httpx
import pytest

from onloop.http import BodyTooLarge
from onloop.testing import Call, serve_upstream
from tests.http.calls import declare

TEXT = b'{"items": ["' + b"lamp" * 200 + b'"]}'


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("identity", TEXT),
    ],
)
async def test_body_is_decompressed(coding: str, body: bytes) -> None:
    async def answer(call: Call) -> None:
        await call.reply(body, "200 OK", f"Content-Encoding: {coding}", "X-Kept: yes")

    async with serve_upstream(answer) as server:
        prices = declare(server.url, headers={"Accept-Encoding": "gzip, deflate"})
        response = await prices.get("/")
    assert response.content == TEXT
    assert response.headers["content-length"] == str(len(TEXT))
    assert response.headers["x-kept"] == "yes"


async def test_small_body_with_a_huge_one_in_it_is_too_large() -> None:
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 20_000

    async def answer(call: Call) -> None:
        await call.reply(bomb, "200 OK", "Content-Encoding: gzip")

    async with serve_upstream(answer) as server:
        with pytest.raises(BodyTooLarge, match=r"larger than 20000 bytes"):
            await declare(server.url, max_bytes=20_000).get("/")


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("br", TEXT),
        ("gzip, gzip", gzip.compress(gzip.compress(TEXT))),
        ("gzip", TEXT),
        ("gzip", gzip.compress(TEXT)[:-9]),
    ],
)
async def test_body_that_is_not_readable_in_its_coding(coding: str, body: bytes) -> None:
    async def answer(call: Call) -> None:
        await call.reply(body, "200 OK", f"Content-Encoding: {coding}")

    async with serve_upstream(answer) as server:
        with pytest.raises(httpx.DecodingError, match=r"^The server's answer "):
            await declare(server.url).get("/")

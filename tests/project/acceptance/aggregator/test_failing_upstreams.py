import asyncio
import gzip

import httpx
import pytest
from onloop.testing import Answer, Call, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import AGGREGATED, get
from tests.answers import echo, echoes, task_id


async def html(call: Call) -> None:
    await call.reply(b"<!doctype html>", "200 OK", "Content-Type: text/html")


async def not_utf8(call: Call) -> None:
    await call.reply(b'{"name": "M\xfcller"}', "200 OK", "Content-Type: application/json")


async def not_found(call: Call) -> None:
    await call.reply(b"{}", "404 Not Found")


async def broken(call: Call) -> None:
    await call.reply(b"{}", "500 Internal Server Error")


async def redirect(call: Call) -> None:
    await call.reply(b"", "301 Moved Permanently", "Location: /login")


async def redirect_to_itself(call: Call) -> None:
    await call.reply(b"", "307 Temporary Redirect", f"Location: {call.target}")


async def utf16(call: Call) -> None:
    body = '{"task_id": 1}'.encode("utf-16")
    await call.reply(body, "200 OK", "Content-Type: application/json; charset=utf-16")


async def compressed(call: Call) -> None:
    await call.reply(gzip.compress(b"{}"), "200 OK", "Content-Encoding: gzip")


async def mislabelled(call: Call) -> None:
    await call.reply(b'{"task_id": ', "200 OK", "Content-Encoding: br", "Content-Type: image/png")


async def endless_head(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n")
    while not call.reader.at_eof():
        await call.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")


async def endless_line(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nX-Filler: ")
    while not call.reader.at_eof():
        await call.send(b"x" * 1000)


async def truncated(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.writer.close()


async def reset(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")
    call.reset()


async def endless(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await call.send(b" " * 65_536)


async def silent(call: Call) -> None:
    await call.closed()


async def drip(call: Call) -> None:
    await call.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while not call.reader.at_eof():
        await call.send(b" ")
        await asyncio.sleep(0.001)


MISBEHAVIOUR = [
    (html, "bad_response"),
    (not_utf8, "bad_response"),
    (not_found, "bad_response"),
    (broken, "bad_response"),
    (redirect, "bad_response"),
    (redirect_to_itself, "bad_response"),
    (utf16, "bad_response"),
    (compressed, "bad_response"),
    (mislabelled, "bad_response"),
    (endless_head, "bad_response"),
    (endless_line, "bad_response"),
    (truncated, "bad_response"),
    (reset, "bad_response"),
    (endless, "bad_response"),
    (silent, "timeout"),
    (drip, "timeout"),
]


@pytest.mark.parametrize(("misbehave", "error_type"), MISBEHAVIOUR)
async def test_failed_call_leaves_the_others(
    server: str, settings: Settings, misbehave: Answer, error_type: str
) -> None:
    async def answer(call: Call) -> None:
        await (misbehave if task_id(call) == 1 else echo)(call)

    settings.AGGREGATOR_FAN_OUT = 3
    settings.AGGREGATOR_TIMEOUT = 1.0 if error_type == "timeout" else 30.0
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    assert response.status_code == 200
    first, failed, last = response.json()["responses"]
    assert [first, last] == [{"task_id": 0}, {"task_id": 2}]
    assert failed["task_id"] == 1
    assert failed["error"]["type"] == error_type
    assert response.json()["errors"] == 1


def assert_all_failed(response: httpx.Response, status: int, error_type: str, count: int) -> None:
    assert response.status_code == status
    answer = response.json()
    assert list(answer) == ["responses", "debug_message", "errors"]
    assert answer["errors"] == count
    for number, failed in enumerate(answer["responses"]):
        assert failed["task_id"] == number
        assert failed["error"]["type"] == error_type
        assert failed["error"]["message"].endswith(".")
    assert "secret" not in response.text
    assert "Traceback" not in response.text


@pytest.mark.parametrize(("misbehave", "error_type"), MISBEHAVIOUR)
async def test_only_failed_calls_get_502(
    server: str, settings: Settings, misbehave: Answer, error_type: str
) -> None:
    settings.AGGREGATOR_FAN_OUT = 3
    settings.AGGREGATOR_TIMEOUT = 1.0 if error_type == "timeout" else 30.0
    async with serve_upstream(misbehave) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = f"{upstream.url}?token=secret"
        response = await get(server + AGGREGATED)
    assert_all_failed(response, 502, error_type, 3)


async def test_upstream_that_is_down_gets_502(server: str, settings: Settings) -> None:
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = f"{upstream.url}?token=secret"
    assert_all_failed(await get(server + AGGREGATED), 502, "connect_error", 10)


@pytest.mark.parametrize("host", ["nowhere.invalid", f"{'a' * 64}.invalid"])
async def test_unknown_host_gets_502(server: str, settings: Settings, host: str) -> None:
    settings.AGGREGATOR_UPSTREAM_URL = f"http://{host}/?token=secret"
    assert_all_failed(await get(server + AGGREGATED), 502, "dns_error", 10)


async def test_deadline_that_ends_all_calls_gets_504(server: str, settings: Settings) -> None:
    settings.AGGREGATOR_DEADLINE = 0.1
    settings.AGGREGATOR_TIMEOUT = 1.0  # Until when pyreqwest keeps the connections.
    async with serve_upstream(silent) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = f"{upstream.url}?token=secret"
        response = await get(server + AGGREGATED)
        await upstream.all_closed.wait()
    assert_all_failed(response, 504, "deadline_exceeded", 10)


async def test_deadline_that_ends_some_calls_gets_200(server: str, settings: Settings) -> None:
    async def answer(call: Call) -> None:
        await (echo if task_id(call) < 2 else silent)(call)

    settings.AGGREGATOR_FAN_OUT = 4
    settings.AGGREGATOR_DEADLINE = 1.0
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    assert response.status_code == 200
    responses = response.json()["responses"]
    assert responses[:2] == echoes(2)
    assert [failed["error"]["type"] for failed in responses[2:]] == ["deadline_exceeded"] * 2
    assert response.json()["errors"] == 2


async def test_deadline_after_a_failed_call_gets_502(server: str, settings: Settings) -> None:
    async def answer(call: Call) -> None:
        await (broken if task_id(call) == 0 else silent)(call)

    settings.AGGREGATOR_DEADLINE = 1.0
    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)
    assert response.status_code == 502
    assert response.json()["errors"] == 10

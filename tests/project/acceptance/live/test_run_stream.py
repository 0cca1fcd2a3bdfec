"""A run that was started by WebSocket, followed as server-sent events."""

import json

import httpx
import pytest
from django.test import AsyncClient
from live import shared_runs
from live.run import without_response
from onloop.event import Event
from onloop.events.hubs import Publisher
from onloop.testing import serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import connected, parse
from tests.answers import HeldBack


def path(run: str) -> str:
    return f"/async/runs/{run}/"


async def get(url: str, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(timeout=60, headers=headers) as client:
        return await client.get(url)


async def test_live_run_is_followed_from_its_beginning(
    server: str, settings: Settings, hops: list[str]
) -> None:
    held_back = HeldBack(2)
    async with serve_upstream(held_back) as upstream, connected(server) as client:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        run = await client.start(2)
        async with (
            httpx.AsyncClient(timeout=60) as browser,
            browser.stream("GET", server + path(run)) as response,
        ):
            text = response.aiter_text()
            events = parse(await anext(text))
            held_back.release[1].set()
            events += parse(await anext(text))
            held_back.release[0].set()
            events += parse("".join([part async for part in text]))
        reports = await client.receive_until("done")

    assert response.headers["content-type"] == "text/event-stream"
    assert [event["event"] for event in events] == ["start", "result", "result", "done"]
    assert events[-1]["id"] == "done"
    told = [{"type": event["event"], "run": run} | event["data"] for event in events]
    assert told[1:] == reports
    assert not hops


@pytest.mark.parametrize("run", ["0123456789abcdef", "x", "é"])
async def test_unknown_run_gets_404(server: str, run: str) -> None:
    response = await get(server + path(run))
    assert response.status_code == 404
    error = response.json()["error"]
    assert error["type"] == "unknown_run"
    assert error["message"].endswith(", or it ended long ago.")


async def test_other_methods_get_405(async_client: AsyncClient) -> None:
    response = await async_client.post(path("0123456789abcdef"))
    assert (response.status_code, response.headers["allow"]) == (405, "GET")


async def test_run_of_a_dead_server_is_reported_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_runs, "MARGIN_SECONDS", 0.0)
    settings.AGGREGATOR_DEADLINE = 0.05
    run = shared_runs.new_run()
    publisher = Publisher(f"run.{run}")
    publisher.publish(Event("start", '{"count": 1}'))
    await publisher.flush()
    start, lost = [report async for report in shared_runs.follow_run(run)]
    assert start.name == "start"
    assert lost.name == "lost"
    assert json.loads(lost.data)["message"] == "The run has reported nothing for 0.05 s."


@pytest.mark.parametrize("response", ['[{"a": 1, "response": 2}]', "1" * 5_000])
def test_response_is_removed_without_parsing(response: str) -> None:
    result = Event("result", f'{{"index": 0, "ok": true, "response": {response}}}')
    assert without_response(result).data == '{"index": 0, "ok": true}'

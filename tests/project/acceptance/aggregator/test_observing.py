"""Observability of an aggregation: the log and Server-Timing."""

import re

import pytest
from onloop.testing import Call, serve_upstream
from pytest_django import Settings

from tests.acceptance.clients import AGGREGATED, closed_port, get
from tests.answers import echo


async def test_server_timing_has_the_total_and_the_slowest_call(
    server: str, settings: Settings
) -> None:
    async with serve_upstream(echo) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        response = await get(server + AGGREGATED)

    metrics = re.fullmatch(
        r'total;dur=(\d+\.\d), upstream;dur=(\d+\.\d);desc="slowest call"',
        response.headers["Server-Timing"],
    )
    assert metrics
    total, slowest = map(float, metrics.groups())
    assert 0 < slowest <= total


async def test_failed_calls_are_one_line_with_their_causes(
    server: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.HTTP_RETRIES = 0
    settings.AGGREGATOR_UPSTREAM_URL = f"http://127.0.0.1:{closed_port()}/?token=secret"
    await get(f"{server}{AGGREGATED}?fan_out=3")

    (record,) = [record for record in caplog.records if record.name == "onloop.http.fan_out"]
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith(
        "3 of 3 calls failed. 3 x connect_error: No connection to the server could be made"
    )
    assert "refused" in record.getMessage().lower()
    assert "secret" not in caplog.text
    assert record.exc_info is None


async def test_missed_deadline_is_logged_too(
    server: str, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    async def hang(call: Call) -> None:
        await call.closed()

    async with serve_upstream(hang) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        settings.AGGREGATOR_DEADLINE = 0.01
        await get(f"{server}{AGGREGATED}?fan_out=2")

    assert "2 of 2 calls failed. 2 x deadline_exceeded: " in caplog.text

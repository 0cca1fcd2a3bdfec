"""The job that aggregates: what it makes of the upstream's answers."""

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pytest_django import Settings

from jobs.tasks import aggregate
from onloop.testing import Call, serve_upstream


async def test_answers_that_python_cannot_read_are_errors_in_their_slots(
    settings: Settings,
) -> None:
    bodies = iter([b"1" * 5_000, b"[" * 900 + b"1" * 5_000 + b"]" * 900, b"[1]"])

    async def answer(call: Call) -> None:
        await call.reply(next(bodies))

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        settings.AGGREGATOR_CONCURRENCY = 1
        result: Any = await aggregate.acall(fan_out=3)
    message = "The server's answer has too long a number or is too deep."
    error = {"type": "bad_response", "message": message}
    assert result["responses"] == [
        {"task_id": 0, "error": error},
        {"task_id": 1, "error": error},
        [1],
    ]
    assert result["errors"] == 2


async def test_body_larger_than_a_result_is_an_error_in_its_slot(settings: Settings) -> None:
    """It could not be stored, and parsing it would hold the GIL for nothing."""
    bodies = iter([b"[1]", b"[%s]" % (b"1," * 600 + b"1")])

    async def answer(call: Call) -> None:
        await call.reply(next(bodies))

    async with serve_upstream(answer) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        settings.AGGREGATOR_CONCURRENCY = 1
        settings.JOBS_MAX_RESULT_BYTES = 1_000
        result: Any = await aggregate.acall(fan_out=2)
    error = {"type": "bad_response", "message": "The server's answer is larger than 1000 bytes."}
    assert result["responses"] == [[1], {"task_id": 1, "error": error}]


async def test_result_is_built_off_the_event_loop(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: set[threading.Thread] = set()

    def loads(text: bytes) -> object:
        threads.add(threading.current_thread())
        return json.loads(text)

    monkeypatch.setattr("jobs.tasks.json", SimpleNamespace(loads=loads))
    async with serve_upstream(Call.reply) as upstream:
        settings.AGGREGATOR_UPSTREAM_URL = upstream.url
        result: Any = await aggregate.acall(fan_out=2)
    assert result["responses"] == [{}, {}]
    assert threads
    assert threading.current_thread() not in threads

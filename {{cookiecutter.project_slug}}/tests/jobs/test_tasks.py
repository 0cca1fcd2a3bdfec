"""The job that aggregates: its results and errors."""

from typing import Any

import pytest
from httpx import HTTPStatusError
from pytest_django import Settings

from jobs.tasks import aggregate
from onloop.testing import Call, Upstream
from tests.answers import echo, echoes, task_id


async def test_result_holds_all_responses(upstream: Upstream) -> None:
    result: Any = await aggregate.acall(fan_out=2)

    assert result["responses"] == echoes(2)
    assert result["debug_message"].startswith("fetch executed in ")
    assert "errors" not in result


@pytest.mark.parametrize("body", [b"1" * 5_000, b"[" * 900 + b"1" * 5_000 + b"]" * 900])
async def test_response_beyond_pythons_json_is_an_error_in_its_slot(
    upstream: Upstream, body: bytes
) -> None:
    async def answer(call: Call) -> None:
        await (echo(call) if task_id(call) else call.reply(body))

    upstream.answer = answer

    result: Any = await aggregate.acall(fan_out=2)

    message = "The response is nested too deeply or has too long a number."
    error = {"type": "bad_response", "message": message}
    assert result["responses"] == [{"task_id": 0, "error": error}, {"task_id": 1}]
    assert result["errors"] == 1


async def test_body_larger_than_a_result_is_an_error_in_its_slot(
    upstream: Upstream, settings: Settings
) -> None:
    async def answer(call: Call) -> None:
        await (echo(call) if task_id(call) else call.reply(b"[%s]" % (b"1," * 600 + b"1")))

    upstream.answer = answer
    settings.JOBS_MAX_RESULT_BYTES = 1_000

    result: Any = await aggregate.acall(fan_out=2)

    error = {"type": "bad_response", "message": "The server's answer is larger than 1000 bytes."}
    assert result["responses"] == [{"task_id": 0, "error": error}, {"task_id": 1}]


async def test_job_fails_if_every_call_fails(upstream: Upstream) -> None:
    async def fail(call: Call) -> None:
        await call.reply(b"{}", "400 Bad Request")

    upstream.answer = fail

    with pytest.raises(HTTPStatusError, match=r"^The server answered with status 400\.$"):
        _ = await aggregate.acall(fan_out=2)

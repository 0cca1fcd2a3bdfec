"""The file that a worker touches for probes."""

import os
from pathlib import Path

import pytest

from onloop.tasks.management.commands.jobs_worker import beating
from tests.services.polling import until

LONG_AGO = 1.0


async def test_file_is_touched_again_and_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onloop.tasks.management.commands.jobs_worker.HEARTBEAT_SECONDS", 0.001)
    heartbeat = tmp_path / "heartbeat"

    async def exists() -> bool:
        return heartbeat.exists()

    async def touched_at() -> float:
        return heartbeat.stat().st_mtime

    async with beating(heartbeat):
        await until(exists, wanted=bool)
        os.utime(heartbeat, (LONG_AGO, LONG_AGO))
        await until(touched_at, wanted=lambda time: time > LONG_AGO)

"""Ordinary clients, which must not be affected: they aggregate and enqueue jobs."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp

from soak.project import Process
from soak.services import HOST

PAUSE = 0.2
PATIENCE = 10.0


@dataclass
class Aggregations:
    """The results of the visitors' aggregations; durations in seconds."""

    durations: list[float] = field(default_factory=list)
    second_tries: int = 0
    unanswered: list[str] = field(default_factory=list)


@dataclass
class Jobs:
    """The accepted jobs by id, with their URLs, and the number of those that were refused."""

    accepted: list[str] = field(default_factory=list)
    refused: int = 0


async def aggregate(servers: Sequence[Process], done: Aggregations) -> None:
    """Aggregate repeatedly, as behind a proxy: if one process fails, try the other."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as client:
        turn = 0
        while True:
            turn += 1
            start = time.perf_counter()
            failures = []
            for attempt in range(2):
                server = servers[(turn + attempt) % 2]
                try:
                    url = f"http://{HOST}:{server.port}/async/api_aggregated/"
                    async with client.get(url) as response:
                        answer = await response.json()
                        if response.status == 200 and len(answer["responses"]) == 10:
                            break
                        failures.append(f"status {response.status}: {str(answer)[:200]}")
                except (aiohttp.ClientError, TimeoutError) as error:
                    failures.append(repr(error))
                done.second_tries += attempt == 0
            else:
                done.unanswered.append(" / ".join(failures))
            done.durations.append(time.perf_counter() - start)
            await asyncio.sleep(PAUSE)


async def enqueue(servers: Sequence[Process], jobs: Jobs) -> None:
    """Enqueue a job periodically; only accepted ones must be done."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE)) as client:
        turn = 0
        while True:
            turn += 1
            url = f"http://{HOST}:{servers[turn % 2].port}/jobs/aggregate/"
            try:
                async with client.post(url) as response:
                    answer = await response.json()
                    if response.status == 202:
                        jobs.accepted.append(answer["id"])
                    else:
                        jobs.refused += 1
            except (aiohttp.ClientError, TimeoutError):
                jobs.refused += 1
            await asyncio.sleep(1.0)

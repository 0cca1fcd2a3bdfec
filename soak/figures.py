"""The resources of the processes, sampled over the run."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from benchmarks import proc
from soak.project import Process
from soak.services import connections_to

INTERVAL = 2.0


@dataclass(frozen=True)
class Sample:
    """The resources of both processes at one moment."""

    resident_mib: float
    threads: int
    open_files: int
    database_connections: int


class Figures:
    """All samples of a run: its start, its peaks, its end."""

    def __init__(self, servers: Sequence[Process], database_url: str) -> None:
        self._servers = servers
        self._database_url = database_url
        self.samples: list[Sample] = []

    async def watch(self) -> None:
        """Take samples periodically, but none of a process that is being restarted."""
        while True:
            with suppress(FileNotFoundError, LookupError, ProcessLookupError):
                self.samples.append(await self.sample())
            await asyncio.sleep(INTERVAL)

    async def sample(self) -> Sample:
        """Return the current resources of the processes."""
        return Sample(
            resident_mib=sum(proc.resident_kib(server.pid) for server in self._servers) / 1024,
            threads=sum(proc.threads(server.pid) for server in self._servers),
            open_files=sum(server.open_files() for server in self._servers),
            database_connections=await asyncio.to_thread(connections_to, self._database_url),
        )

"""One event for ten thousand open server-sent events streams: delivery and cost."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import IO, cast
from urllib.request import urlopen

from benchmarks.lineup import RENDERED, ROOT, STOCK, Contender
from benchmarks.listeners import PATH, WELCOME
from benchmarks.results import Figures, MeasurementError
from benchmarks.run import Run
from benchmarks.servers import Server, serving
from benchmarks.streams import STREAMS as STREAMS_OF_STOCK
from benchmarks.upstream import upstream

STREAMS = 10_000
WORK = f"{STREAMS:,} open SSE streams, one event for all"
STOCK_NAME = f"{STOCK.name}, {STREAMS_OF_STOCK:,} streams"


def broadcast(run: Run) -> None:
    """The rendered project's `EventStreamResponse`, next to as many streams as stock Django holds.

    A fresh server for each sample, as in `streams`.
    """
    with upstream() as url:
        measures = {
            STOCK_NAME: partial(measure, run, STOCK, STREAMS_OF_STOCK, url),
            RENDERED.name: partial(measure, run, RENDERED, STREAMS, url),
        }
        run.interleave(WORK, measures)


def measure(run: Run, contender: Contender, count: int, upstream_url: str) -> Figures:
    with serving([contender], run.project, upstream_url) as [server]:
        return announce(server, count)


def announce(server: Server, count: int) -> Figures:
    """Measure the server while `count` streams are open, then send all of them one event."""
    with urlopen(server.url(PATH)) as stream:  # noqa: S310 - our own server
        stream.read(len(WELCOME))
    threads, resident = server.threads(), server.resident_kib()
    with listeners(server.port, count) as output:
        held, seconds = output.readline().split()
        if held == "0":
            raise MeasurementError("no stream stayed open")
        figures = {
            "streams held": float(held),
            "threads added": float(server.threads() - threads),
            "KiB per stream": (server.resident_kib() - resident) / int(held),
            "s to open all": float(seconds),
        }
        start = time.perf_counter()
        urlopen(server.url("/announce/")).close()  # noqa: S310 - our own server
        figures["clients with their event"] = float(output.readline())
        figures["s until the last had it"] = time.perf_counter() - start
    return figures


@contextmanager
def listeners(port: int, count: int) -> Iterator[IO[str]]:
    """What the process of the clients prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.listeners", str(port), str(count)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    output = cast(IO[str], process.stdout)
    try:
        yield output
    finally:
        process.kill()
        process.wait()
        output.close()

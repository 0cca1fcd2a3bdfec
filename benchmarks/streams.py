"""Many open server-sent events streams: threads, memory, time to first event."""

import asyncio
import time
from functools import partial
from statistics import median

from benchmarks.lineup import ASYNC_VIEWS, Contender
from benchmarks.results import Figures, MeasurementError
from benchmarks.run import Run
from benchmarks.servers import HOST, Server, serving
from benchmarks.upstream import upstream

STREAMS = 2000
OPENING_AT_ONCE = 100
FIRST_EVENT_TIMEOUT = 30.0
FURTHER_STREAMS = 20
REQUEST = b"GET /events/ HTTP/1.1\r\nHost: %b\r\n\r\n" % HOST.encode()
FIRST_EVENT = b"data: tick\n\n"
WORK = f"{STREAMS:,} open SSE streams"


def streams(run: Run) -> None:
    """A fresh server for each sample: a process rarely returns freed memory to the system."""
    with upstream() as url:
        measures = {
            contender.name: partial(measure, run, contender, url) for contender in ASYNC_VIEWS
        }
        run.interleave(WORK, measures)


def measure(run: Run, contender: Contender, upstream_url: str) -> Figures:
    with serving([contender], run.project, upstream_url) as [server]:
        return asyncio.run(hold_streams(server))


async def hold_streams(server: Server) -> Figures:
    """Open as many of the streams as the server holds, and measure it while they are open."""
    (await open_stream(server)).close()
    threads, resident = server.threads(), server.resident_kib()

    start = time.perf_counter()
    gate = asyncio.Semaphore(OPENING_AT_ONCE)
    opened = await asyncio.gather(*[open_stream_or_none(server, gate) for _ in range(STREAMS)])
    seconds = time.perf_counter() - start
    held = [stream for stream in opened if stream is not None]
    if not held:
        raise MeasurementError("no stream stayed open")
    figures = {
        "streams held": float(len(held)),
        "threads added": float(server.threads() - threads),
        "KiB per stream": (server.resident_kib() - resident) / len(held),
        "s to open all": seconds,
    }

    first_events = []
    for _ in range(FURTHER_STREAMS):
        start = time.perf_counter()
        stream = await open_stream_or_none(server, gate)
        if stream is not None:
            first_events.append(time.perf_counter() - start)
            held.append(stream)
    if first_events:
        figures["ms to first event of one more"] = median(first_events) * 1000
    for stream in held:
        stream.close()
    return figures


async def open_stream(server: Server) -> asyncio.StreamWriter:
    """A stream that has delivered its first event.

    Raises `OSError`, `EOFError` or `TimeoutError` when there is none.
    """
    async with asyncio.timeout(FIRST_EVENT_TIMEOUT):
        reader, writer = await asyncio.open_connection(HOST, server.port)
        writer.write(REQUEST)
        await reader.readuntil(FIRST_EVENT)
    return writer


async def open_stream_or_none(
    server: Server, gate: asyncio.Semaphore
) -> asyncio.StreamWriter | None:
    """A stream, or None where the server could not hold one more."""
    async with gate:
        try:
            return await open_stream(server)
        except (OSError, EOFError, TimeoutError):
            return None

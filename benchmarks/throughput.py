"""Requests per second under wrk: `hello`, the aggregator, the sync view."""

from collections.abc import Callable
from functools import partial
from math import ceil

from benchmarks.lineup import AGGREGATORS, ASYNC_VIEWS, RENDERED, STOCK, SYNC_VIEWS
from benchmarks.load import wrk
from benchmarks.results import Figures, MeasurementError
from benchmarks.run import Run
from benchmarks.servers import Server, serving
from benchmarks.upstream import upstream

WARM_UP_SECONDS = 1
WARM_UP_CLIENTS = 4
REQUESTS_PER_CLIENT = 10
LONGEST_LOAD = 5
VIEW_CLIENTS = 32
AGGREGATOR_CLIENTS = (8, 64)
HELLO = f"hello, async view, {VIEW_CLIENTS} clients"
SYNC = f"sync view without delay, {VIEW_CLIENTS} clients"
MIDDLEWARE_HEADERS = (
    "X-Frame-Options",
    "X-Content-Type-Options",
    "Referrer-Policy",
    "Cross-Origin-Opener-Policy",
)


def aggregator_work(clients: int) -> str:
    """The title of the aggregator's work under this many clients."""
    return f"aggregator, fan-out 10, zero-latency upstream, {clients} clients"


def hello(run: Run) -> None:
    """An async JSON view; behind the full middleware stack in both Django contenders."""
    with upstream() as url, serving(ASYNC_VIEWS, run.project, url) as servers:
        for server in servers:
            if server.contender in (STOCK, RENDERED):
                check_middleware(server)
        load = partial(measure, path="/hello/", clients=VIEW_CLIENTS, seconds=run.seconds)
        measure_each(run, HELLO, servers, load)


def aggregator(run: Run) -> None:
    """The aggregator under few and under many clients."""
    with upstream() as url, serving(AGGREGATORS, run.project, url) as servers:
        for clients in AGGREGATOR_CLIENTS:
            load = partial(
                measure, path="/async/api_aggregated/", clients=clients, seconds=run.seconds
            )
            measure_each(run, aggregator_work(clients), servers, load)


def sync_view(run: Run) -> None:
    """A plain sync view, and the most threads that its server had under load."""
    load = partial(
        measure_with_threads, path="/sync/api/?task_id=1", clients=VIEW_CLIENTS, seconds=run.seconds
    )
    with upstream() as url, serving(SYNC_VIEWS, run.project, url) as servers:
        measure_each(run, SYNC, servers, load)


def measure_each(
    run: Run, work: str, servers: list[Server], load: Callable[[Server], Figures]
) -> None:
    """Put `load` on the servers in turn."""
    run.interleave(work, {server.name: partial(load, server) for server in servers})


def measure(
    server: Server,
    path: str,
    clients: int,
    seconds: int,
    while_running: Callable[[], None] | None = None,
) -> Figures:
    """Figures of one run of wrk, after a short one that warms up and shows how long to measure.

    Raises `MeasurementError` when there was no good answer at all.
    """
    warm_up = wrk(server.url(path), WARM_UP_CLIENTS, WARM_UP_SECONDS)
    length = load_seconds(warm_up.requests_per_second, clients, seconds)
    load = wrk(server.url(path), clients, length, while_running)
    server.wait_until_idle()
    if not load.requests_per_second:
        raise MeasurementError(f"no good answer in {length} s, {load.errors} errors")
    return load.figures()


def load_seconds(rate: float, clients: int, seconds: int) -> int:
    """How long to measure a server that answers `rate` requests per second.

    wrk does not count requests in flight when it ends: with few requests per client it would show a
    slow server slower than it is. Ten each make that error small; five times `seconds` must do.
    """
    longest = seconds * LONGEST_LOAD
    if not rate:
        return longest
    return min(max(seconds, ceil(REQUESTS_PER_CLIENT * clients / rate)), longest)


def measure_with_threads(server: Server, path: str, clients: int, seconds: int) -> Figures:
    """The same, with the largest number of threads during the run."""
    threads: list[int] = []
    figures = measure(server, path, clients, seconds, lambda: threads.append(server.threads()))
    return {**figures, "threads": float(max(threads))}


def check_middleware(server: Server) -> None:
    """Raises `RuntimeError` unless `hello` carries what the middleware of `startproject` adds."""
    connection = server.connect()
    connection.request("GET", "/hello/")
    response = connection.getresponse()
    missing = [name for name in MIDDLEWARE_HEADERS if name not in response.headers]
    connection.close()
    if missing:
        raise RuntimeError(f"{server.name} answers hello without {', '.join(missing)}.")

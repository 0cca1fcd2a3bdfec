"""One aggregation at a time: elapsed against a slow upstream, and the cost of one call."""

import json
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from benchmarks.lineup import AGGREGATORS
from benchmarks.results import Figures, MeasurementError
from benchmarks.run import Run
from benchmarks.servers import Server, serving
from benchmarks.upstream import upstream

PATH = "/async/api_aggregated/"
SLOW_UPSTREAM = 1.0
SLOW_FAN_OUTS = (10, 500)
COST_FAN_OUTS = (10, 100, 1000)
COST_DELAYS = (0.0, 0.1)
ONE_SAMPLE_SECONDS = 5.0


def elapsed_work(fan_out: int) -> str:
    """The title of the work against the slow upstream."""
    return f"aggregator, fan-out {fan_out:,}, 1 s upstream, 1 client"


def cost_work(fan_out: int, delay: float) -> str:
    """The title of the work that finds the cost of one call; `delay` in seconds."""
    latency = f"{delay * 1000:.0f} ms" if delay else "zero-latency"
    return f"aggregator, fan-out {fan_out:,}, {latency} upstream, 1 client"


def slow_upstream(run: Run) -> None:
    """How much longer than its slowest call an aggregation takes."""
    with upstream(SLOW_UPSTREAM) as url:
        for fan_out in SLOW_FAN_OUTS:
            measure_each(run, elapsed_work(fan_out), url, fan_out, elapsed)


def cost_per_call(run: Run) -> None:
    """CPU of the server and wall time, both divided by the number of upstream calls."""
    measure = partial(cost, seconds=run.seconds / 3)
    for delay in COST_DELAYS:
        with upstream(delay) as url:
            for fan_out in COST_FAN_OUTS:
                measure_each(run, cost_work(fan_out, delay), url, fan_out, measure)


type Measure = Callable[[Server, int], Figures]


def measure_each(run: Run, work: str, url: str, fan_out: int, measure: Measure) -> None:
    """Measure every server once to warm it up, then all of them in turn.

    Where that first measurement takes longer than `ONE_SAMPLE_SECONDS` it is the only one.
    """
    with serving(AGGREGATORS, run.project, url, fan_out) as servers:
        run.results.enter(work, [server.name for server in servers])
        measures = {}
        for server in servers:
            start = time.perf_counter()
            try:
                first = measure(server, fan_out)
            except MeasurementError as error:
                run.results.fail(work, server.name, str(error))
                continue
            if time.perf_counter() - start > ONE_SAMPLE_SECONDS:
                run.results.add(work, server.name, first)
            else:
                measures[server.name] = partial(measure, server, fan_out)
        run.interleave(work, measures)


def elapsed(server: Server, fan_out: int) -> Figures:
    """Wall time of one aggregation, as a multiple of one second."""
    start = time.perf_counter()
    aggregate(server, fan_out)
    return {"elapsed / 1 s": time.perf_counter() - start}


def cost(server: Server, fan_out: int, *, seconds: float) -> Figures:
    """Microseconds per call over as many aggregations as fit into `seconds`, at least one."""
    aggregations = 0
    cpu = server.cpu_seconds()
    start = time.perf_counter()
    while not aggregations or time.perf_counter() - start < seconds:
        answered = aggregate(server, fan_out)
        aggregations += 1
    wall = time.perf_counter() - start
    cpu = server.cpu_seconds() - cpu
    calls = aggregations * fan_out
    return {
        "CPU µs per call": cpu / calls * 1e6,
        "wall µs per call": wall / calls * 1e6,
        "calls answered": float(answered),
    }


def aggregate(server: Server, fan_out: int) -> int:
    """Request one aggregation; return the number of calls that were answered.

    Raises `MeasurementError` unless every call was answered, in task order.
    """
    connection = server.connect()
    connection.request("GET", PATH)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    if response.status != HTTPStatus.OK:
        raise MeasurementError(f"HTTP {response.status}")
    answers = json.loads(body)["responses"]
    answered: int = sum(
        answer == {"message": "Hello World!", "task_id": str(task_id)}
        for task_id, answer in enumerate(answers)
    )
    if answered != fan_out:
        raise MeasurementError(f"{answered:,} of {fan_out:,} calls answered")
    return answered

"""What logs, metrics and request ids cost the aggregator."""

from functools import partial

from benchmarks.lineup import OBSERVED, UNOBSERVED
from benchmarks.run import Run
from benchmarks.servers import serving
from benchmarks.throughput import aggregator_work, measure, measure_each
from benchmarks.upstream import upstream

CLIENTS = 8
WORK = f"{aggregator_work(CLIENTS)}, observed or not"


def observing(run: Run) -> None:
    """The rendered project with a JSON access log, metrics and request ids, and without them."""
    with upstream() as url, serving((OBSERVED, UNOBSERVED), run.project, url) as servers:
        load = partial(measure, path="/async/api_aggregated/", clients=CLIENTS, seconds=run.seconds)
        measure_each(run, WORK, servers, load)

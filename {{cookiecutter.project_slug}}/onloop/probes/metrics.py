"""`/metrics`, as Prometheus asks for it, and what is only looked up when it does."""

from collections.abc import Iterable, Iterator
from itertools import islice

from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from onloop.conf import settings
from onloop.http.breaker import State
from onloop.http.metrics import MAX_ORIGINS
from onloop.http.origins import origins


@require_safe
@never_cache
async def metrics(request: HttpRequest) -> HttpResponse:
    """Everything that is measured, in Prometheus' text format or as OpenMetrics.

    Raises:
        Http404: `settings.METRICS` is off.
    """
    if not settings.METRICS:
        raise Http404("METRICS is off.")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type)


class Origins(Collector):
    """The retries and hedged calls to each upstream, and the state of the circuit to it."""

    def collect(self) -> Iterable[Metric]:
        retries = CounterMetricFamily(
            "upstream_retries", "Calls that were made again.", labels=["origin"]
        )
        hedges = CounterMetricFamily(
            "upstream_hedges", "Second copies of slow calls.", labels=["origin"]
        )
        circuits = GaugeMetricFamily(
            "upstream_circuit", "1 for the state that it is in.", labels=["origin", "state"]
        )
        for name, origin in islice(origins().items(), MAX_ORIGINS):
            retries.add_metric([name], origin.retry_budget.withdrawn)
            hedges.add_metric([name], origin.hedge.budget.withdrawn)
            for state in State:
                circuits.add_metric([name, state], state is origin.breaker.state)
        return retries, hedges, circuits


class DatabasePools(Collector):
    """What psycopg's pool says of itself, where the database has one.

    https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats
    """

    def collect(self) -> Iterator[Metric]:
        pool = GaugeMetricFamily(
            "database_pool", "The pool's own figures.", labels=["database", "figure"]
        )
        for connection in connections.all():
            if stats := getattr(connection, "pool", None):
                for figure, value in stats.get_stats().items():
                    pool.add_metric([connection.alias, figure], value)
        yield pool


REGISTRY.register(Origins())
REGISTRY.register(DatabasePools())

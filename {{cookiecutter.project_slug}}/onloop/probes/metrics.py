"""`/metrics` for Prometheus: everything that the package and the project have registered."""

from collections.abc import Iterator

from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from onloop.conf import settings


@require_safe
@never_cache
async def metrics(request: HttpRequest) -> HttpResponse:
    """Return all metrics, in Prometheus' text format or as OpenMetrics.

    Raises:
        Http404: `settings.METRICS` is off.
    """
    if not settings.METRICS:
        raise Http404("METRICS is off.")
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(encode(REGISTRY), content_type=content_type)


class DatabasePools(Collector):
    """Collects the statistics of psycopg's pools.

    https://www.psycopg.org/psycopg3/docs/advanced/pool.html#pool-stats
    """

    def collect(self) -> Iterator[Metric]:
        """Yield the statistics of every database that has a pool, labelled by its alias."""
        pool = GaugeMetricFamily(
            "database_pool", "The statistics of the pool.", labels=["database", "figure"]
        )
        for connection in connections.all():
            if stats := getattr(connection, "pool", None):
                for figure, value in stats.get_stats().items():
                    pool.add_metric([connection.alias, figure], value)
        yield pool


REGISTRY.register(DatabasePools())

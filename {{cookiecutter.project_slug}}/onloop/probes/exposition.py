"""What `/metrics` shows: everything that the package and the project have registered."""

from collections.abc import Iterator

from django.db import connections
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

import onloop.http.collector  # noqa: F401 - it registers the metrics of upstreams.


def exposition(accept: str) -> tuple[bytes, str]:
    """Return all metrics and their content type, for the `Accept` header of a request."""
    encode, content_type = choose_encoder(accept)
    return encode(REGISTRY), content_type


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

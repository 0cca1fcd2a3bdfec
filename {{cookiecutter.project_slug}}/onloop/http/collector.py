"""The state of upstreams, for Prometheus. Imported only where `METRICS` is on."""

from collections.abc import Iterable

from prometheus_client import REGISTRY
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from onloop.http.breaker import State
from onloop.http.upstream import upstreams


class UpstreamCollector(Collector):
    """Collects what is known of each upstream at the moment of a scrape."""

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of all upstreams."""
        gauges = {
            name: GaugeMetricFamily(f"upstream_{name}", text, labels=["upstream"])
            for name, text in (
                ("in_flight", "Calls that hold a connection."),
                ("waiting", "Calls that wait for a connection or for their turn."),
                ("limit", "The most calls that may hold a connection."),
            )
        }
        counters = {
            name: CounterMetricFamily(f"upstream_{name}", text, labels=["upstream"])
            for name, text in (
                ("retries", "Attempts after the first one."),
                ("hedges", "Second copies of slow calls."),
                ("joined", "Calls that shared the answer of an identical one."),
            )
        }
        circuits = GaugeMetricFamily(
            "upstream_circuit", "1 for the current state, else 0.", labels=["upstream", "state"]
        )
        caches = CounterMetricFamily(
            "upstream_cache", "Answers by what the cache had.", labels=["upstream", "outcome"]
        )
        for upstream in upstreams():
            figures = upstream.figures()
            for name, family in (gauges | counters).items():
                family.add_metric([upstream.name], getattr(figures, name))
            for state in State:
                circuits.add_metric([upstream.name, state], state is figures.circuit)
            for outcome, count in figures.cache.items():
                caches.add_metric([upstream.name, outcome], count)
        return *gauges.values(), *counters.values(), circuits, caches


REGISTRY.register(UpstreamCollector())

"""The metrics of a gateway, all in one place, so that dashboards and alerts can be checked against it.

Names are `roomwire_<noun>_<unit>[_total]` in base units; every label set is closed. A `Metrics` belongs to
the process's composition root and is handed to whoever counts.
"""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

TRANSPORTS = ("polling", "websocket")
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The gateway's counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.connects = Counter(
            "roomwire_connects_total",
            "Socket.IO connects by outcome: ok, or the code of the refusal.",
            ["outcome"],
            registry=self.registry,
        )
        self.disconnects = Counter(
            "roomwire_disconnects_total",
            "Socket.IO disconnects by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.events = Counter(
            "roomwire_events_total",
            "Events received from clients by outcome: ok, or the code of the error.",
            ["outcome"],
            registry=self.registry,
        )
        self.event_seconds = Histogram(
            "roomwire_event_seconds",
            "Time from taking up an event to its ack.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.publishes = Counter(
            "roomwire_publishes_total",
            "Messages given to the backplane by outcome: ok or unavailable.",
            ["outcome"],
            registry=self.registry,
        )
        self.backplane_up = Gauge(
            "roomwire_backplane_up",
            "1 while the backplane answers and the subscription is live, else 0.",
            registry=self.registry,
        )

    def watch_connections(self, count: Callable[[], Mapping[str, int]]) -> None:
        """Export `roomwire_connections{transport}`, read from `count` when scraped.

        Args:
            count: Returns the number of open Engine.IO connections by transport.

        """
        self.registry.register(_Connections(count))


class _Connections(Collector):
    """Counts connections at the time of the scrape: they change transport while they live."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "roomwire_connections", "Open connections by transport.", labels=["transport"]
        )
        counts = self._count()
        for transport in TRANSPORTS:
            family.add_metric([transport], counts.get(transport, 0))
        yield family

"""The metrics of a process's memory: its limit, its use, and what its clients hold."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class MemoryMetrics:
    """The metrics of a process's memory.

    Args:
        registry: The service's registry.

    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.limit_bytes = Gauge(
            "roomwire_memory_limit_bytes",
            "Memory that the process may use: the container's limit, or a setting; 0 if no limit is known.",
            registry=registry,
        )
        self.used_bytes = Gauge(
            "roomwire_memory_used_bytes",
            "Memory that the process uses as it was last measured, socket buffers included.",
            registry=registry,
        )

    def watch_held(self, held: Callable[[], Mapping[str, int]]) -> None:
        """Export `roomwire_held_bytes{class}`, read from `held` when scraped.

        Args:
            held: Returns the bytes that clients hold by class.

        """
        self._registry.register(_Held(held))


class _Held(Collector):
    def __init__(self, held: Callable[[], Mapping[str, int]]) -> None:
        self._held = held

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "roomwire_held_bytes",
            "Bytes that the process holds for clients, by class: guests (also clients without a token), users, services.",
            labels=["class"],
        )
        for client_class, size in self._held().items():
            family.add_metric([client_class], size)
        yield family

"""The figures that Redis reports about itself."""

from collections.abc import Iterator, Mapping

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class RedisFigures(Collector):
    """The latest figures that the primary reported to this gateway; none before the first report.

    CPU time and commands are totals of the server since its start: of all its clients, not of this gateway.
    """

    def __init__(self) -> None:
        self._figures: Mapping[str, float] = {}

    def show(self, figures: Mapping[str, float]) -> None:
        """Export these figures from now on; their names are those of `INFO`."""
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; called by prometheus-client."""
        of = self._figures
        gauges = (
            ("memory_used_bytes", "Memory that counts against the limit.", "used_memory"),
            ("memory_max_bytes", "The limit (maxmemory); 0 means no limit.", "maxmemory"),
            ("clients", "Connections of all clients.", "connected_clients"),
        )
        for name, about, field in gauges:
            family = GaugeMetricFamily(f"roomwire_redis_{name}", f"Redis: {about}")
            if field in of:
                family.add_metric([], of[field])
            yield family
        cpu = CounterMetricFamily("roomwire_redis_cpu_seconds", "Redis: CPU time of the server.")
        if "used_cpu_user" in of:
            cpu.add_metric([], of["used_cpu_user"] + of.get("used_cpu_sys", 0.0))
        yield cpu
        commands = CounterMetricFamily("roomwire_redis_commands", "Redis: commands of all clients.")
        if "total_commands_processed" in of:
            commands.add_metric([], of["total_commands_processed"])
        yield commands

"""The metrics of a process: whether it serves, its event loop, its CPU, memory and files."""

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

from roomwire.metrics.collectors import Seconds


class ProcessMetrics:
    """The metrics of a process that both services export: readiness, the event loop, and `process_*` (CPU, memory, files).

    Args:
        registry: The service's registry.

    """

    def __init__(self, registry: CollectorRegistry) -> None:
        ProcessCollector(registry=registry)
        self.ready = Gauge(
            "roomwire_ready", "1 while the service is ready, until it drains; else 0.", registry=registry
        )
        self.loop_late_seconds = Seconds(
            "roomwire_loop_late_seconds", "Delay of the event loop's timers, measured four times a second."
        )
        registry.register(self.loop_late_seconds)

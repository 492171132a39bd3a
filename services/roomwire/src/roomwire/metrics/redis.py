"""The figures that Redis reports about itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

_REFUSABLE: Final = ("session", "join", "room")
_CLASSES: Final = ("guests", "users", "services")
_KINDS: Final = ("session", "joined", "room")


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


class GuardFigures(Collector):
    """What the guard of the primary's memory counted last, for the whole deployment, and what it refused at this gateway."""

    def __init__(self) -> None:
        self._held: Mapping[str, Sequence[int]] = dict.fromkeys(_CLASSES, (0, 0, 0, 0))
        self._level = self._evicted = self._unkept = 0
        self._log_bytes: int | None = None
        self._log_max_bytes = self._emptied = 0
        self._refused: dict[str, int] = dict.fromkeys(_REFUSABLE, 0)

    def show(
        self,
        held: Mapping[str, Sequence[int]],
        *,
        level: int,
        evicted: int,
        unkept: int,
        log_bytes: int | None,
        log_max_bytes: int,
        emptied: int,
    ) -> None:
        """Export these figures from now on.

        Args:
            held: By class: sessions, joined rooms, rooms with messages, bytes of histories.
            level: The level of the guard.
            evicted: The histories that were deleted for newer ones.
            unkept: The entries for new histories that were not stored.
            log_bytes: The size of the measured streams, if they can be measured.
            log_max_bytes: Their maximum size; 0 if there is none.
            emptied: The streams that were emptied for others.

        """
        self._log_bytes, self._log_max_bytes, self._emptied = log_bytes, log_max_bytes, emptied
        self._held, self._level, self._evicted, self._unkept = held, level, evicted, unkept

    def count_refused(self, what: str) -> None:
        """Count a refusal."""
        self._refused[what] = self._refused.get(what, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; called by prometheus-client."""
        yield GaugeMetricFamily(
            "roomwire_redis_guard_level",
            "What is refused because Redis' memory is scarce: 0 nothing, 1 new things of guests, 2 of users as well, 3 it is nearly full.",
            value=self._level,
        )
        made = GaugeMetricFamily(
            "roomwire_redis_made",
            "Sessions, joined rooms and rooms with messages in Redis, by class of clients.",
            labels=["kind", "class"],
        )
        size = GaugeMetricFamily(
            "roomwire_redis_history_bytes",
            "Approximate size of histories in Redis, by class.",
            labels=["class"],
        )
        for each, (*counts, history_bytes) in self._held.items():
            for kind, count in zip(_KINDS, counts, strict=True):
                made.add_metric([kind, each], count)
            size.add_metric([each], history_bytes)
        yield made
        yield size
        yield CounterMetricFamily(
            "roomwire_redis_histories_evicted",
            "Histories that were deleted because histories of their class exceeded their share.",
            value=self._evicted,
        )
        yield CounterMetricFamily(
            "roomwire_redis_entries_unkept",
            "Entries for new histories that were not stored because memory was scarce.",
            value=self._unkept,
        )
        log = GaugeMetricFamily(
            "roomwire_redis_log_bytes",
            "Size of the log's streams of 16 KiB and more in Redis, as measured last.",
        )
        if self._log_bytes is not None:
            log.add_metric([], self._log_bytes)
        yield log
        yield GaugeMetricFamily(
            "roomwire_redis_log_max_bytes",
            "Size of these streams beyond which those that were written longest ago are emptied; 0 means no limit.",
            value=self._log_max_bytes,
        )
        yield CounterMetricFamily(
            "roomwire_redis_streams_emptied",
            "Streams of the log that were emptied because all streams together exceeded their share.",
            value=self._emptied,
        )
        refused = CounterMetricFamily(
            "roomwire_redis_refused",
            "New sessions, joins of new rooms and messages to new rooms that the guard refused.",
            labels=["what"],
        )
        for what, count in self._refused.items():
            refused.add_metric([what], count)
        yield refused

"""The metrics of a gateway, all in one place, so that dashboards and alerts can be checked against them."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from roomwire.health.clocks import MAX_SKEW_S, Clock
from roomwire.health.dependencies import Dependencies
from roomwire.limits.bounds import Bound
from roomwire.metrics.collectors import Events, Seconds, Tally
from roomwire.metrics.redis import GuardFigures, RedisFigures

TRANSPORTS = ("polling", "websocket")
_WRITES_CLEAR_S = 10.0
# Longer than fetched keys are cached.
_CLOCK_FORGOTTEN_S = 900.0


class Metrics:
    """The gateway's counters and gauges, in a registry of its own.

    Args:
        clock: Monotonic seconds, for the dependencies.

    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self.dependencies = Dependencies(self.registry, clock=clock)
        # While Redis is full, some small writes still succeed among many that do not.
        self.redis_writes = self.dependencies.add("redis_writes", clears_after_s=_WRITES_CLEAR_S)
        self.clock_skew = Gauge(
            "roomwire_clock_skew_seconds",
            "Time by which another clock is ahead of this process's, by clock: redis, or auth (the issuer of tokens).",
            ["against"],
            registry=self.registry,
        )
        self.redis_figures = RedisFigures()
        self.registry.register(self.redis_figures)
        self.guard_figures = GuardFigures()
        self.registry.register(self.guard_figures)
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
        self.events = Events()
        self.registry.register(self.events)
        bounds = Counter(
            "roomwire_bounds_exceeded_total",
            "Bounds that a client exceeded, by name.",
            ["bound"],
            registry=self.registry,
        )
        self._exceeded = {bound: bounds.labels(bound.value).inc for bound in Bound}
        self.publishes = Tally(
            "roomwire_publishes_total",
            "Messages passed to the backplane by outcome: ok, unknown, or the code of the error.",
            "outcome",
            values=("ok", "unknown", "unavailable"),
        )
        self.registry.register(self.publishes)
        self.publish_seconds = Seconds(
            "roomwire_publish_seconds",
            "Time from a publish to the log's answer, including the wait for a link.",
        )
        self.registry.register(self.publish_seconds)
        self.volatile_dropped = Tally(
            "roomwire_volatile_dropped_total",
            "Volatile events that were dropped, by reason: congested (for one client, which does not keep up or is being connected"
            " or recovered), unpublished (for all clients, because the backplane did not accept the event).",
            "reason",
            values=("congested", "unpublished"),
        )
        self.registry.register(self.volatile_dropped)
        self.log_lag = Gauge(
            "roomwire_log_lag_entries",
            "Log positions that are known here and whose entries have not been delivered yet.",
            registry=self.registry,
        )
        self.recoveries = Counter(
            "roomwire_recoveries_total",
            "Recoveries that clients requested, by outcome: recovered, refused, postponed.",
            ["outcome"],
            registry=self.registry,
        )
        self._history_reads = Counter(
            "roomwire_history_reads_total",
            "Reads of recent history for returning clients: whole (a room), rest (entries since another read), own (messages to"
            " one client).",
            ["kind"],
            registry=self.registry,
        )
        self.relays = Counter(
            "roomwire_relays_total",
            "Requests for sessions of other nodes, by kind (polling, websocket) and outcome.",
            ["kind", "outcome"],
            registry=self.registry,
        )
        self.relays_taken = Counter(
            "roomwire_relays_taken_total",
            "Connections to the relay port, by outcome: taken, or the reason of the refusal.",
            ["outcome"],
            registry=self.registry,
        )
        self.relays_open = Gauge(
            "roomwire_relays_open",
            "Requests and WebSockets that are being relayed to other nodes.",
            registry=self.registry,
        )
        self.relay_bytes = Tally(
            "roomwire_relay_bytes_total",
            "Bytes relayed to and from other nodes, by direction: to_owner, to_client.",
            "direction",
            values=("to_owner", "to_client"),
        )
        self.registry.register(self.relay_bytes)
        self.keys_refused = Counter(
            "roomwire_jwks_keys_refused_total",
            "Keys of an identity provider that were refused when they were fetched, by reason.",
            ["reason"],
            registry=self.registry,
        )
        self.api_requests = Counter(
            "roomwire_api_requests_total",
            "Requests to the HTTP API answered, by route template (other: not a route of the API) and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.links_lost = Counter(
            "roomwire_log_links_lost_total",
            "Times the log was held because the link to the primary was lost.",
            registry=self.registry,
        )
        self.backplane_up = Gauge(
            "roomwire_backplane_up",
            "1 while the backplane answers and the subscription is live, else 0.",
            registry=self.registry,
        )
        self._begin_with_zeros()

    def clock(self, against: Literal["redis", "auth"], *, max_skew_s: float = MAX_SKEW_S) -> Clock:
        """Return a comparison of a clock with ours; `roomwire_clock_skew_seconds` and the dependency `clock_<against>` show it."""
        return Clock(
            # The issuer's clock is compared only when keys are fetched, which may be rare.
            self.dependencies.add(f"clock_{against}", forgets_after_s=_CLOCK_FORGOTTEN_S),
            show=self.clock_skew.labels(against).set,
            max_skew_s=max_skew_s,
        )

    def _begin_with_zeros(self) -> None:
        """Export zeros for the series of dashboards and alerts: a rate needs a sample before the first event."""
        for outcome in ("ok", "unavailable", "unauthenticated", "not_yet_valid", "internal"):
            self.connects.labels(outcome)
        for outcome in ("recovered", "refused", "postponed"):
            self.recoveries.labels(outcome)
        for kind in ("whole", "rest", "own"):
            self._history_reads.labels(kind)
        for reason in ("transport close", "client disconnect"):
            self.disconnects.labels(reason)

    def exceeded(self, bound: Bound) -> None:
        """Count a bound that a client exceeded."""
        self._exceeded[bound]()

    def key_refused(self, reason: str) -> None:
        """Count a published key that is not used."""
        self.keys_refused.labels(reason).inc()

    def history_read(self, kind: str) -> None:
        """Count a read of recent history."""
        self._history_reads.labels(kind).inc()

    def watch_connections(self, count: Callable[[], Mapping[str, int]]) -> None:
        """Export `roomwire_connections{transport}`, read from `count` when scraped.

        Args:
            count: Returns the number of open Engine.IO connections by transport.

        """
        self.registry.register(_Connections(count))

    def watch_namespaces(self, count: Callable[[], Mapping[str, int]]) -> None:
        """Export `roomwire_dynamic_namespaces`, read when scraped.

        Args:
            count: Returns the number of namespaces that are alive, by pattern: the name of a namespace is never a label.

        """
        self.registry.register(_Namespaces(count))

    def watch_load(self, *, rooms: Callable[[], int], tasks: Callable[[], int]) -> None:
        """Export `roomwire_rooms` and `roomwire_tasks`, read when scraped: without clients, neither may grow.

        Args:
            rooms: Returns the number of rooms with members on this node.
            tasks: Returns the number of asyncio tasks.

        """
        for name, description, count in (
            ("roomwire_rooms", "Rooms with members on this gateway.", rooms),
            ("roomwire_tasks", "Tasks of the event loop.", tasks),
        ):
            Gauge(name, description, registry=self.registry).set_function(count)


class _Namespaces(Collector):
    """Counts the namespaces of patterns at the time of the scrape."""

    def __init__(self, count: Callable[[], Mapping[str, int]]) -> None:
        self._count = count

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily(
            "roomwire_dynamic_namespaces",
            "Namespaces with clients on this gateway that a pattern serves, by pattern.",
            labels=["pattern"],
        )
        for pattern, number in self._count().items():
            family.add_metric([pattern], number)
        yield family


class _Connections(Collector):
    """Counts connections at the time of the scrape, as a connection's transport can change."""

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

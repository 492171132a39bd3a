"""The auth service's metrics, all in one place. Every label set is closed: routes are templates."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from roomwire.health.dependencies import Dependencies

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The service's counters and gauges, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.dependencies = Dependencies(self.registry)
        self.requests = Counter(
            "roomwire_auth_requests_total",
            "HTTP requests answered, by route template (other: not a route of the API) and status.",
            ["route", "status"],
            registry=self.registry,
        )
        self.password_seconds = Histogram(
            "roomwire_auth_password_seconds",
            "Time to hash or check a password, including the wait for a thread.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.refresh_reuses = Counter(
            "roomwire_auth_refresh_reuses_total",
            "Refresh tokens that were reused, so that their sessions were revoked.",
            registry=self.registry,
        )
        self.refresh_repeats = Counter(
            "roomwire_auth_refresh_repeats_total",
            "Refresh tokens that were repeated within the grace period, so that the same successor was returned.",
            registry=self.registry,
        )
        self.throttled = Counter(
            "roomwire_auth_throttled_total",
            "Requests refused because of too many attempts from their address, by the limit that was reached.",
            ["limit"],
            registry=self.registry,
        )
        self._password_queue = Gauge(
            "roomwire_auth_password_queue",
            "Passwords that wait for a thread.",
            registry=self.registry,
        )

    def watch_password_queue(self, waiting: Callable[[], int]) -> None:
        """Export `roomwire_auth_password_queue`, read from `waiting` when scraped."""
        self._password_queue.set_function(waiting)

"""The metrics of a port that speaks HTTP."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter

from roomwire.health.dependencies import Cause, Dependency


class HttpMetrics:
    """The counters of a port that speaks HTTP.

    Args:
        registry: The service's registry.
        name: The counter's name. Default: the public port's.
        full: Notes that connections are refused because too many are open. Default: none.

    """

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        name: str = "roomwire_http_refused_total",
        full: Dependency | None = None,
    ) -> None:
        self._full = full
        self.refused = Counter(
            name,
            "Connections closed because of their client's input or their number, by reason.",
            ["reason"],
            registry=registry,
        )

    def counter(self, reason: str) -> Callable[[], None]:
        """Return a function that counts connections that are closed for this reason."""
        count = self.refused.labels(reason).inc
        full = self._full
        if full is None or reason != "connections":
            return count

        def turned_away() -> None:
            count()
            full.is_down(Cause.FULL, "connections are refused: the limit ROOMWIRE_MAX_CONNECTIONS is reached")

        return turned_away

"""The metrics of what Node's emitters say. They exist only where `roomwire.app.nodejs` is switched on."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class EmitterMetrics:
    """Counts messages of emitters.

    Args:
        registry: The gateway's registry.

    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.messages = Counter(
            "roomwire_nodejs_messages_total",
            "Messages of Node's emitters that were performed, by kind: broadcast, volatile, join, leave, disconnect, server_side.",
            ["kind"],
            registry=registry,
        )
        self.refused = Counter(
            "roomwire_nodejs_refused_total",
            "Messages of Node's emitters that were refused, by reason: too_large, undecodable, malformed, unsupported, namespace, "
            "failed.",
            ["reason"],
            registry=registry,
        )
        self.lost = Counter(
            "roomwire_nodejs_lost_total",
            "Messages of Node's emitters that were lost, by reason: unpublished (published on a channel while the log accepted "
            "nothing), trimmed (from the stream before they were read), unperformed (a request that did not reach every client).",
            ["reason"],
            registry=registry,
        )
        self.is_listening = Gauge(
            "roomwire_nodejs_listening",
            "1 while this gateway listens to Node's emitters, else 0.",
            registry=registry,
        )
        self.lag = Gauge(
            "roomwire_nodejs_lag_entries",
            "Entries of the emitters' stream that this gateway has not performed yet; 0 while another one listens.",
            registry=registry,
        )
        for kind in ("broadcast", "volatile", "join", "leave", "disconnect", "server_side"):
            self.messages.labels(kind)
        for reason in ("too_large", "undecodable", "malformed", "unsupported", "namespace", "failed"):
            self.refused.labels(reason)
        for reason in ("unpublished", "trimmed", "unperformed"):
            self.lost.labels(reason)

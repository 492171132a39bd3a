"""What one client may cost: bounds on everything that a stranger can send or leave unread."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a session. Each has its unit in its name.

    Attributes:
        ping_interval_s: How often a client is pinged.
        ping_grace_s: How much later than that, at most, it is told to expect a ping.
        ping_timeout_s: How long it may take to answer.
        max_payload_bytes: Largest message, and largest body of a POST.
        max_payload_packets: Most packets in one polling payload.
        max_fragments: Most frames of one WebSocket message.
        max_waiting_messages: Most messages that wait for one that is being handled.
        max_unread_bytes: How much may wait for a client that does not read; beyond, it is disconnected.

    """

    ping_interval_s: float = 25.0
    ping_grace_s: float = 0.0
    ping_timeout_s: float = 20.0
    max_payload_bytes: int = 1_000_000
    max_payload_packets: int = 256
    max_fragments: int = 64
    max_waiting_messages: int = 256
    max_unread_bytes: int = 4_000_000

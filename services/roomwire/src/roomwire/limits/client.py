"""What one client may cost: bounds on everything that a stranger can send or leave unread.

What is exceeded is counted by name: see `roomwire.limits.bounds`.
"""

from roomwire.limits.pings import Pings


class Limits(Pings, frozen=True, kw_only=True):
    """The bounds of one client; the times of its pings are those of `Pings`.

    Each bound has its unit in its name; the number of what is counted has none.

    Attributes:
        connect_timeout_s: How long it may be there without a namespace. Beyond: closed.
        upgrade_timeout_s: How long a WebSocket may take to replace polling. Beyond: closed, and polling goes on.
        close_timeout_s: How long a WebSocket that was told of its end may stay open. Beyond: cut.
        max_payload_bytes: Largest message. Beyond: closed. Largest body of a POST. Beyond: that body is refused.
        max_payload_packets: Most packets in one polling payload that are no messages. Beyond: closed. Of messages there
            may be as many as fit: a client that was away sends all that it has kept at once.
        max_fragments: Most frames of one WebSocket message, empty ones included, beside one for each KiB of it. Beyond:
            closed. On an ASGI server of others, that server puts messages together, and this is its matter.
        max_waiting_messages: Most messages that wait for one that is being handled, of no more than
            `max_payload_bytes` together. Beyond: the client is not read until half of them are taken. On plain ASGI they
            wait in the server. A WebSocket of the application beside the engine is not read until all of them are taken.
        max_waiting_events: Most events of a client in one namespace that are being handled or wait for it.
            Beyond: the event is refused, `rate_limited`; over polling it waits first, for up to half of `ping_timeout_s`.
        max_waiting_events_bytes: Largest sum of what waits in them, if it is more than one. Beyond: the same.
        max_unread_bytes: How much may wait for a client that does not read. Beyond: closed, `slow consumer`.
        max_attachments: Most binary attachments of one packet. Beyond: closed.
        max_attachments_bytes: Largest attachments of one packet, together, if there are several. Beyond: closed.
        max_pending_acks: Most acks that are awaited of a client in one namespace. Beyond: the newest is refused,
            `rate_limited`, to the program that asks for it; where it asks several clients, this one is left out.
        max_held_frames: Most frames held back for a client that is connecting to a namespace. Beyond: closed.
        max_held_bytes: Their size. Beyond: closed.
        max_namespaces: Most namespaces of one connection. Beyond: that namespace is refused.
        max_refused_connects: Refusals of one connection that are answered at once. Beyond: each is answered after twice
            the time of the one before, from 0.25 to 8 seconds; other namespaces do not wait for that.
        max_events_per_s: Most events a second of one connection, as many of them at once. Beyond: the event is refused,
            `rate_limited`; over polling it waits first, as above. 0: any number.
        max_events_per_user_per_s: The same, of all connections to this node of a user that a token names.
        max_events_per_address_per_s: The same, of all connections to this node from an address, of IPv6 from one /64.
        max_refused_events: Most events that are refused as too many a second until the client pauses. Beyond: closed.

    """

    connect_timeout_s: float = 20.0
    upgrade_timeout_s: float = 10.0
    close_timeout_s: float = 5.0
    max_payload_bytes: int = 1_000_000
    max_payload_packets: int = 256
    max_fragments: int = 64
    max_waiting_messages: int = 256
    max_waiting_events: int = 256
    max_waiting_events_bytes: int = 4_000_000
    max_unread_bytes: int = 4_000_000
    max_attachments: int = 10
    max_attachments_bytes: int = 4_000_000
    max_pending_acks: int = 256
    max_held_frames: int = 1_000
    max_held_bytes: int = 1_000_000
    max_namespaces: int = 16
    max_refused_connects: int = 3
    max_events_per_s: float = 0.0
    max_events_per_user_per_s: float = 0.0
    max_events_per_address_per_s: float = 0.0
    max_refused_events: int = 1_000

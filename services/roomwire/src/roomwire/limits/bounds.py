"""The names of the limits that a client can exceed: the label of `roomwire_bounds_exceeded_total`.

The values are in `roomwire.limits.client.Limits` and, for recoveries, in `roomwire.recovery.decisions.RecoveryLimits` and
`roomwire.log.config.LogConfig`. The limits of HTTP have names of their own, in `roomwire.serving.http`.
"""

import enum


class Bound(enum.StrEnum):
    """A limit on what one client may cost."""

    MESSAGE_BYTES = "message_bytes"
    PAYLOAD_PACKETS = "payload_packets"
    FRAGMENTS = "fragments"
    WAITING_MESSAGES = "waiting_messages"
    WAITING_EVENTS = "waiting_events"
    UNREAD_BYTES = "unread_bytes"
    ATTACHMENTS = "attachments"
    ATTACHMENTS_BYTES = "attachments_bytes"
    PENDING_ACKS = "pending_acks"
    HELD = "held"
    NAMESPACES = "namespaces"
    REFUSED_CONNECTS = "refused_connects"
    EVENTS_PER_S = "events_per_s"
    EVENTS_PER_USER_PER_S = "events_per_user_per_s"
    EVENTS_PER_ADDRESS_PER_S = "events_per_address_per_s"
    REFUSED_EVENTS = "refused_events"
    CONNECT_TIMEOUT = "connect_timeout"
    UPGRADE_TIMEOUT = "upgrade_timeout"
    REPLAY = "replay"
    RECOVERIES = "recoveries"
    RECOVERY_DEADLINE = "recovery_deadline"
    CLAIMS = "claims"

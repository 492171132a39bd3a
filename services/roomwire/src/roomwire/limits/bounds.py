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
    BACKLOG = "backlog"
    UNREAD_BYTES = "unread_bytes"
    ATTACHMENTS = "attachments"
    ATTACHMENTS_BYTES = "attachments_bytes"
    ATTACHMENTS_TIMEOUT = "attachments_timeout"
    PENDING_ACKS = "pending_acks"
    HELD = "held"
    HELD_BYTES = "held_bytes"
    NAMESPACES = "namespaces"
    DYNAMIC_NAMESPACES = "dynamic_namespaces"
    DYNAMIC_NAMESPACES_PER_USER = "dynamic_namespaces_per_user"
    REFUSED_CONNECTS = "refused_connects"
    EVENTS_PER_S = "events_per_s"
    EVENTS_PER_USER_PER_S = "events_per_user_per_s"
    EVENTS_PER_ADDRESS_PER_S = "events_per_address_per_s"
    EVENTS_OF_GUESTS_PER_S = "events_of_guests_per_s"
    NEW_ROOMS = "new_rooms"
    REFUSED_EVENTS = "refused_events"
    AUTH_BYTES = "auth_bytes"
    SESSIONS = "sessions"
    SESSIONS_PER_ADDRESS = "sessions_per_address"
    MEMORY = "memory"
    CONNECT_TIMEOUT = "connect_timeout"
    UPGRADE_TIMEOUT = "upgrade_timeout"
    REPLAY = "replay"
    RECOVERIES = "recoveries"
    RECOVERY_DEADLINE = "recovery_deadline"
    CLAIMS = "claims"

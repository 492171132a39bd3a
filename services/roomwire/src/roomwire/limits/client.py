"""The limits on what one client may cost: on everything that a stranger can send or leave unread.

Exceeded limits are counted by name: see `roomwire.limits.bounds`.
"""

from roomwire.limits.http import MAX_TOKEN_BYTES
from roomwire.limits.pings import Pings


class Limits(Pings, frozen=True, kw_only=True):
    """The limits of one client; the times of its pings are those of `Pings`.

    The name of each limit contains its unit; a plain number has none.

    Attributes:
        connect_timeout_s: Time within which a client must connect to a namespace; after it the connection is closed.
        upgrade_timeout_s: Time limit for a WebSocket that replaces polling; after it the WebSocket is closed, and polling
            continues.
        close_timeout_s: Time within which a WebSocket must close after the server's close frame; after it the connection is cut.
        max_payload_bytes: Maximum size of a message, and of the body of a POST. A larger message closes the connection; a larger
            body is refused.
        max_payload_packets: Maximum number of packets other than messages in one polling payload; more close the connection.
            Messages are not counted, because a client that was away sends everything that it has kept at once.
        max_fragments: Maximum number of frames of one WebSocket message, empty ones included, plus one per KiB of it; more close
            the connection. On another ASGI server, that server assembles messages, and this limit has no effect.
        max_waiting_messages: Maximum number of messages that wait until the session is open, with at most `max_payload_bytes`
            altogether. At the limit the server stops reading from the client until half of them are left. On plain ASGI they
            wait in the server. A WebSocket of the application beside the engine is not read until all of them are received.
        max_waiting_events: Maximum number of events of a client in one namespace that a concurrent gateway handles at the same
            time; further ones wait. Also the maximum number of its reply streams.
        max_waiting_events_bytes: Size of a client's events that are not handled yet, beyond which the server stops reading from
            the client until half of them are left. While the server awaits an ack of the client, it reads up to four times as
            much; then it closes the connection as `too many unhandled events`. The events of one namespace that are being
            handled have the same bound; a short one counts 1 KiB.
        max_unread_bytes: Maximum number of bytes that wait for a client that does not read: with more, it is closed as `slow
            consumer` if it reads nothing for `unread_timeout_s`. It is closed at once if more is added while the process refuses
            sessions for want of memory, or while its user holds more than sixteen times this size. Whatever is sent otherwise is
            let through, however large it is.
        unread_timeout_s: Time within which a client must read something while more than `max_unread_bytes` wait for it.
        max_attachments: Maximum number of binary attachments of one packet; more close the connection.
        max_attachments_bytes: Maximum total size of the attachments of one packet, if there are several; more closes the
            connection.
        attachments_timeout_s: Time within which the first attachment of a packet must follow it, and each further one the one
            before; after it the connection is closed.
        max_auth_bytes: Maximum size of the payload of a CONNECT, as JSON and without the token; a larger one is refused with
            `too_large`.
        max_token_bytes: Maximum length of a token, which may be in that payload in addition.
        max_sessions: Maximum number of open sessions, whatever carries them: over polling one TCP connection carries many. A
            further one gets 503. `0` disables this limit.
        max_sessions_per_address: The same limit for one address, or one /64 of IPv6, as trusted proxies report it.
        max_pending_acks: Maximum number of acks that the server awaits from a client in one namespace. A further request for one
            fails with `rate_limited` for the program that makes it; a request to several clients skips this client.
        max_held_frames: Maximum number of frames that are held for a client while it connects to a namespace; more close the
            connection.
        max_held_bytes: Maximum total size of those frames; a connection with more is closed when `max_unread_bytes` would close
            it at once, with this size instead.
        max_namespaces: Maximum number of namespaces of one connection; further ones are refused.
        max_dynamic_namespaces: Maximum number of namespaces of patterns that have clients on this node; guests and clients without a
            token may open half of them. The first client of a further one is refused with `rate_limited`. `0` disables this limit.
        max_dynamic_namespaces_per_user: Maximum number of such namespaces in which an account has clients on this node. A client
            that connects to a further one is refused with `rate_limited`. `0` disables this limit.
        max_refused_connects: Number of refused namespaces of one connection that are answered immediately. Each later refusal is
            answered after twice the delay of the one before, from 0.25 to 8 seconds; other namespaces do not wait for that.
        max_events_per_s: Maximum events a second of one connection, and maximum burst. A further event is refused with
            `rate_limited`; over polling it first waits for up to a quarter of `ping_timeout_s`. `0` disables this limit.
        max_events_per_user_per_s: The same limit for all connections to this node of one user that a token names.
        max_events_per_address_per_s: The same limit for all connections to this node from one address, or one /64 of IPv6.
        max_events_of_guests_per_s: Maximum events a second of all guests and clients without a token on this node together, while an
            account or a service is connected to it. A further one is refused as above. `0` disables this limit.
        max_new_rooms: Maximum number of rooms that a client joins, or speaks to without being in them, in ten minutes. A further
            one is refused with `rate_limited` where the application counts them (`Socket.require_room`). `0` disables this limit.
        max_refused_events: Number of events that are refused because of their rate, without a pause of the client, before the
            connection is closed.

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
    unread_timeout_s: float = 20.0
    max_attachments: int = 10
    max_attachments_bytes: int = 4_000_000
    attachments_timeout_s: float = 20.0
    max_auth_bytes: int = 8_192
    max_token_bytes: int = MAX_TOKEN_BYTES
    max_sessions: int = 0
    max_sessions_per_address: int = 0
    max_pending_acks: int = 256
    max_held_frames: int = 1_000
    max_held_bytes: int = 1_000_000
    max_namespaces: int = 16
    max_dynamic_namespaces: int = 10_000
    max_dynamic_namespaces_per_user: int = 100
    max_refused_connects: int = 3
    max_events_per_s: float = 0.0
    max_events_per_user_per_s: float = 0.0
    max_events_per_address_per_s: float = 0.0
    max_events_of_guests_per_s: float = 0.0
    max_new_rooms: int = 300
    max_refused_events: int = 1_000

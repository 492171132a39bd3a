"""The times and limits of the log: how long sessions and streams last, how much may wait, how often a session may be claimed."""

from typing import Any, Final

import msgspec

from roomwire.health.clocks import MAX_SKEW_S
from roomwire.log.errors import StreamsTooShortLived
from roomwire.log.guard import GuardConfig

CONFIRM_HEARTBEATS: Final = 3


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The times and limits of the log. All gateways of a deployment must use the same.

    Args:
        session_ttl_s: Time for which a session waits for its client after the client's last sign of life.
        ping_interval_s: Interval between pings to a client.
        ping_timeout_s: Time within which a client must answer a ping.
        heartbeat_s: Interval at which a gateway shows the primary that it is alive, and detects that the primary is not.
        link_timeout_s: Time limit for one answer of the primary, and for connecting to it.
        call_timeout_s: Time limit for a call of this contract, including the wait for the next link.
        claim_deadline_s: Time limit for a recovery, from its claim to its last read.
        room_ttl_s: Time for which a stream is kept after its last entry. Default: as long as the guarantees require.
        message_id_ttl_s: Time for which a client's message id is remembered.
        max_stream_entries: Approximate maximum number of entries of the stream of a room or a namespace.
        max_sid_entries: Approximate maximum number of entries of the stream of what is sent to one client alone, such as the
            tokens of an assistant's answer. All streams are bounded in bytes as well.
        max_intervals: Maximum number of times that a client may join and leave one room without confirming it.
        max_claims: Maximum number of claims of one session per `claims_window_s`. A further claim is refused, and the session
            stays where it is. This ends the contest of two tabs that hold the same session.
        claims_window_s: Length of that window.
        max_publishes: Maximum number of publishes of this gateway that wait for their answer.
        max_publish_bytes: Maximum total size of those publishes.
        max_held_pushes: Maximum number of pushes that wait while the log is held; more restart the link.
        max_held_bytes: Maximum total size of those pushes.
        guard: What new things may be made while memory runs out.
        max_clock_skew_s: Difference between the primary's clock and this process's above which it is reported.

    """

    session_ttl_s: float = 120.0
    ping_interval_s: float = 25.0
    ping_timeout_s: float = 20.0
    heartbeat_s: float = 5.0
    link_timeout_s: float = 1.0
    call_timeout_s: float = 5.0
    claim_deadline_s: float = 10.0
    room_ttl_s: float | None = None
    message_id_ttl_s: float = 120.0
    max_stream_entries: int = 1_000
    max_sid_entries: int = 2_500
    max_intervals: int = 64
    max_claims: int = 10
    claims_window_s: float = 30.0
    max_publishes: int = 20_000
    max_publish_bytes: int = 67_108_864
    max_held_pushes: int = 200_000
    max_held_bytes: int = 268_435_456
    guard: GuardConfig = GuardConfig()
    max_clock_skew_s: float = MAX_SKEW_S

    @classmethod
    def for_pings(cls, interval_s: float, timeout_s: float, **others: Any) -> "LogConfig":
        """Return the times for clients with these pings. Their sessions outlive a few missed pings."""
        session_ttl_s = max(120.0, 3 * (interval_s + timeout_s))
        times = {"session_ttl_s": session_ttl_s, "ping_interval_s": interval_s, "ping_timeout_s": timeout_s}
        return cls(**{**times, **others})

    @property
    def most_entries(self) -> int:
        """The maximum number of entries of any stream."""
        return max(self.max_stream_entries, self.max_sid_entries)

    @property
    def least_room_ttl_s(self) -> float:
        """The minimum lifetime of a stream at which its absence proves that no client missed anything."""
        return (
            self.session_ttl_s
            + self.ping_interval_s
            + self.ping_timeout_s
            + self.link_timeout_s
            + self.claim_deadline_s
            + self.heartbeat_s
        )

    @property
    def stream_ttl_s(self) -> float:
        """The lifetime of a stream: `room_ttl_s`, or its default."""
        return self.least_room_ttl_s if self.room_ttl_s is None else self.room_ttl_s

    @property
    def confirm_s(self) -> float:
        """The time after the beginning of an epoch in which the owner of a session may confirm it."""
        return CONFIRM_HEARTBEATS * self.heartbeat_s

    def check(self) -> None:
        """Check the times on which the guarantees depend.

        Raises:
            ConfigurationError: With these times a client could miss a message without a trace.

        """
        if self.stream_ttl_s < self.least_room_ttl_s:
            raise StreamsTooShortLived(self.stream_ttl_s, self.least_room_ttl_s)

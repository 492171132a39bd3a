"""Times and bounds of the log: how long sessions and streams stay, what may wait, how often a session may be claimed."""

from typing import Any, Final

import msgspec

from roomwire.health.clocks import MAX_SKEW_S
from roomwire.log.errors import StreamsTooShortLived

CONFIRM_HEARTBEATS: Final = 3


class LogConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Times and bounds. All gateways of a deployment use the same.

    Args:
        session_ttl_s: How long a session waits for its client after the client's last sign of life.
        ping_interval_s: How often clients are pinged.
        ping_timeout_s: How long a client may take to answer.
        heartbeat_s: How often a gateway shows the primary that it lives, and would notice that the primary does not.
        link_timeout_s: How long one answer of the primary may take, and connecting to it.
        call_timeout_s: How long a call of this contract may take, waiting for the next link included.
        claim_deadline_s: How long a recovery may take from its claim to its last read.
        room_ttl_s: How long a stream stays after its last entry. Default: as long as it has to.
        message_id_ttl_s: How long a client's message id is remembered.
        max_stream_entries: About how many entries of a stream are kept.
        max_intervals: How often a client may join and leave one room within what it has not confirmed.
        max_claims: How often a session may be claimed within `claims_window_s`; beyond, it stays where it is and the
            claimant is refused. It ends the duel of two tabs that hold the same one.
        claims_window_s: See there.
        max_publishes: Most publishes of this gateway that wait for their answer.
        max_publish_bytes: Most bytes of them.
        max_held_pushes: Most pushes that wait while the log is held; beyond, the link is begun again.
        max_held_bytes: Most bytes of them.
        max_clock_skew_s: How far the primary's clock may differ from this process's before that is said.

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
    max_intervals: int = 64
    max_claims: int = 10
    claims_window_s: float = 30.0
    max_publishes: int = 20_000
    max_publish_bytes: int = 67_108_864
    max_held_pushes: int = 200_000
    max_held_bytes: int = 268_435_456
    max_clock_skew_s: float = MAX_SKEW_S

    @classmethod
    def for_pings(cls, interval_s: float, timeout_s: float, **others: Any) -> "LogConfig":
        """Return the times for clients that are pinged like this: their sessions outlive a few missed pings."""
        session_ttl_s = max(120.0, 3 * (interval_s + timeout_s))
        times = {"session_ttl_s": session_ttl_s, "ping_interval_s": interval_s, "ping_timeout_s": timeout_s}
        return cls(**{**times, **others})

    @property
    def least_room_ttl_s(self) -> float:
        """How long a stream has to stay so that its absence proves that nobody missed anything."""
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
        """How long a stream stays: `room_ttl_s`, or its default."""
        return self.least_room_ttl_s if self.room_ttl_s is None else self.room_ttl_s

    @property
    def confirm_s(self) -> float:
        """How long the owner of a session may confirm it after an epoch began."""
        return CONFIRM_HEARTBEATS * self.heartbeat_s

    def check(self) -> None:
        """Check what the guarantees depend on.

        Raises:
            ConfigurationError: With these times a client could miss something without a trace of it.

        """
        if self.stream_ttl_s < self.least_room_ttl_s:
            raise StreamsTooShortLived(self.stream_ttl_s, self.least_room_ttl_s)

"""Pings: when a client is pinged, and when a client that does not answer is gone.

Pure. The engine's session asks this module what is due. Source: the Engine.IO protocol, version 4, "Heartbeat".
"""

from typing import Final

import msgspec

_LATE: Final = 0.25
"""The fraction of the ping timeout by which a ping may be late without giving the client more time to answer."""


class Pings(msgspec.Struct, frozen=True, kw_only=True):
    """The times of a client's pings, in seconds; the server pings, the client answers.

    Attributes:
        ping_interval_s: Interval between pings to a client.
        ping_grace_s: Maximum delay beyond that interval that the client is told to expect.
        ping_timeout_s: Time within which a client must answer a ping; after it the connection is closed with `ping timeout`.

    """

    ping_interval_s: float = 25.0
    ping_grace_s: float = 0.0
    ping_timeout_s: float = 20.0

    def due_at(self, pinged_at: float) -> float:
        """Return when the next ping is due, if this one was answered."""
        return pinged_at + self.ping_interval_s

    def times_out_at(self, pinged_at: float) -> float:
        """Return when a client that has not answered a ping is gone."""
        return pinged_at + self.ping_timeout_s

    def sent_at(self, due_at: float, now: float) -> float:
        """Return the time from which a ping's timeout runs.

        It is the time at which the ping was due, so that a session ends on time although timers are late; after a longer
        delay, the time at which it is sent.
        """
        return due_at if now - due_at <= self.ping_timeout_s * _LATE else now

    def look_again_at(self, pinged_at: float) -> float:
        """Return when to look again after a ping was sent: at its timeout, or when the next one may be due before that."""
        return pinged_at + min(self.ping_interval_s, self.ping_timeout_s)

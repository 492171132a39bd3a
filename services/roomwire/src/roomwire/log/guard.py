"""The guard of the log's memory: which new things a class of clients may make while memory runs out. Pure.

A stranger is a new guest at will, and each new session, room and history costs memory that stays for minutes or hours. The
scripts of the log (`roomwire.log.redis.scripts`, `guard.lua` and `kept.lua`) count these by class, only when a key is new, and refuse
new ones in this order:

1. Guests together have a share of the memory (`guests_share`), so that they cannot displace accounts.
2. From the first mark on, nothing new is made for guests: no session, no room, no history.
3. From the second mark on, nothing new is made for users either.

Members speak on in rooms that exist, clients recover, and heartbeats and revocations are accepted, until the server itself refuses
writes. So that what goes on needs no more memory, rooms store fewer messages from the first mark on (`stream_bytes`): a client that was
away for longer is told that it missed some. A room without members and recent messages counts as new, and as a guest's.

Histories have a share of their own (`histories_share` for each class); beyond it, those that were used longest ago are deleted.

What streams store for recoveries has a share as well (`log_share`, `sizes.lua`). It shrinks by what is used beyond the first mark. Beyond
it, the streams that were written longest ago are emptied, whichever class wrote them; a client that missed something there is told.
Streams of less than 16 KiB are not measured; they are bounded by what is refused.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final

import msgspec

from roomwire.limits.classes import ClientClass

MAX_STREAM_BYTES: Final = 2_097_152
"""Approximate maximum size of the messages that a room stores for recoveries."""

_LAST_MARK: Final = 0.95
_STREAM_BYTES: Final = (MAX_STREAM_BYTES, 65_536, 16_384, 1)
"""The same at each level; at the last one a room stores only its newest message."""


class Level(IntEnum):
    """How scarce memory is."""

    AMPLE = 0
    GUESTS_REFUSED = 1
    USERS_REFUSED = 2
    NEARLY_FULL = 3


class GuardConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The marks and shares of the guard. They are parts of the server's memory limit; without a limit they have no effect.

    Args:
        guests_mark: The part from which nothing new is made for guests.
        users_mark: The part from which nothing new is made for users.
        guests_share: The part that sessions, rooms and histories of guests may occupy together.
        histories_share: The part that the histories of one class may occupy.
        room_history_bytes: Approximate maximum size of the history of one room, in bytes; also without a limit of the server.
        log_share: The part that the messages of all streams may occupy.
        guest_history_ttl_s: Time for which the history of a room of guests stays after the last message, or after its
            last member left.

    """

    guests_mark: float = 0.7
    users_mark: float = 0.85
    guests_share: float = 0.5
    histories_share: float = 0.125
    log_share: float = 0.5
    room_history_bytes: int = 1_048_576
    guest_history_ttl_s: int = 3_600

    def limits(self, session_ttl_ms: int) -> str:
        """Return the text that the scripts read; see `guard.lua`."""
        return (
            f"{self.guests_mark:g} {self.users_mark:g} {self.guests_share:g} {session_ttl_ms}"
            f" {self.histories_share:g} {self.room_history_bytes} {self.guest_history_ttl_s} {self.log_share:g}"
        )

    def level(self, used: float, most: float) -> Level:
        """Return the level at which a server is that uses some of its memory.

        Args:
            used: The memory that counts against the limit, in bytes.
            most: The limit in bytes; 0 if there is none.

        """
        if most <= 0 or used < self.guests_mark * most:
            return Level.AMPLE
        if used < self.users_mark * most:
            return Level.GUESTS_REFUSED
        return Level.USERS_REFUSED if used < _LAST_MARK * most else Level.NEARLY_FULL


def stream_bytes(level: Level) -> int:
    """Return the approximate maximum size of the messages that a room stores at a level."""
    return _STREAM_BYTES[level]


class Counted(msgspec.Struct, frozen=True):
    """What the log holds of one class: sessions, rooms that were joined, rooms with messages, bytes of histories."""

    sessions: int
    joined: int
    rooms: int
    history_bytes: int


class GuardReport(msgspec.Struct, frozen=True):
    """The guard's figures.

    Attributes:
        used_bytes: The memory that counts against the limit.
        max_bytes: The limit; 0 if there is none.
        evicted: The histories that were deleted for newer ones, since the log began.
        unkept: The entries for new histories that were not stored, since the log began.
        log_bytes: The size of the measured streams; None if the server does not permit to measure them.
        log_max_bytes: Their maximum size at present; 0 if there is none.
        emptied: The streams that were emptied for others, since the log began.
        classes: What is held, by class.

    """

    used_bytes: int
    max_bytes: int
    evicted: int
    unkept: int
    log_bytes: int | None
    log_max_bytes: int
    emptied: int
    classes: Mapping[ClientClass, Counted]

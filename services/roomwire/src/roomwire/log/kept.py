"""The part of a message that the history of its room stores, beyond the log. Pure.

The log appends the entry in the same step as the message, so that both exist or neither.
`roomwire.history` reads it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from roomwire.log.streams import room_name, room_stream

HISTORY_ENTRIES: Final = 500
HISTORY_TTL_S: Final = 86_400


class Said(msgspec.Struct, frozen=True):
    """An event as history stores it, unless the application chooses another entry.

    Attributes:
        event: The event's name.
        args: The event's arguments.
        at: The time at which it was emitted, by the clock of the server or of the emitter.

    """

    event: str
    args: Sequence[Any]
    at: datetime


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What the history of a room stores of an event, and for how long: a value of `keeps_history`.

    Attributes:
        entry: The entry, a JSON value. Default: the event, its arguments and the time, as a `Said`.
        room: The room whose history stores it. Default: the room to which the event is emitted.
        entries: The number of newest entries that the room keeps, including this one.
        ttl_s: Time for which the room keeps them after this one, in seconds.

    """

    entry: Any = msgspec.UNSET
    room: str | None = None
    entries: int = HISTORY_ENTRIES
    ttl_s: int = HISTORY_TTL_S

    def __post_init__(self) -> None:
        if self.entries < 1 or self.ttl_s < 1:
            raise ValueError("a history keeps at least one entry, for at least one second")


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An entry for a history.

    Attributes:
        name: The history's name; see `history_name`.
        entry: The entry.
        entries: The number of entries that the history keeps.
        ttl_s: Time for which it keeps them after this entry.

    """

    name: bytes
    entry: bytes
    entries: int = HISTORY_ENTRIES
    ttl_s: int = HISTORY_TTL_S


def history_name(namespace: str, room: object) -> bytes:
    """Return the name of a room's history: in the namespace `/` the room's own name, elsewhere a name that no room of `/` can have."""
    name = room_name(room)
    if namespace == "/":
        return name.encode("utf-8", "surrogatepass")
    return b"\0" + room_stream(namespace, name)

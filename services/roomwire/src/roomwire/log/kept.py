"""What of a message is kept in the history of its room, beyond the log. Pure.

The log appends it in the step that appends the message: either both are there, or neither is. It is read by
`roomwire.history`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from roomwire.log.streams import room_name, room_stream

HISTORY_ENTRIES: Final = 500
HISTORY_TTL_S: Final = 86_400


class Said(msgspec.Struct, frozen=True):
    """An event as history keeps it, where the application names nothing else to keep.

    Attributes:
        event: Its name.
        args: Its arguments.
        at: When it was emitted.

    """

    event: str
    args: Sequence[Any]
    at: datetime


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What of an emit the history of its room keeps, and for how long: the value of `keeps_history`.

    Attributes:
        entry: What is kept, as JSON can hold it. Default: the event, its arguments and the time, as a `Said`.
        room: Whose history it is. Default: that of the room that the event is emitted to.
        entries: How many entries the room keeps, the newest ones, counting this.
        ttl_s: How long the room keeps them after this one, in seconds.

    """

    entry: Any = msgspec.UNSET
    room: str | None = None
    entries: int = HISTORY_ENTRIES
    ttl_s: int = HISTORY_TTL_S

    def __post_init__(self) -> None:
        if self.entries < 1 or self.ttl_s < 1:
            raise ValueError("a history keeps at least one entry, for at least one second")


class Kept(msgspec.Struct, frozen=True, gc=False):
    """An entry on its way into a history.

    Attributes:
        name: The history's name; see `history_name`.
        entry: The entry.
        entries: How many entries the history keeps.
        ttl_s: How long after this one.

    """

    name: bytes
    entry: bytes
    entries: int = HISTORY_ENTRIES
    ttl_s: int = HISTORY_TTL_S


def history_name(namespace: str, room: object) -> bytes:
    """Return the name of a room's history: in the namespace `/` the room's own, elsewhere what no room there can be called."""
    name = room_name(room)
    if namespace == "/":
        return name.encode("utf-8", "surrogatepass")
    return b"\0" + room_stream(namespace, name)

"""What one call of `emit` asks for: the one object that goes down from there."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypedDict

import msgspec

from roomwire.log.kept import Keep, Kept, Said, history_name
from roomwire.log.sessions import is_sid
from roomwire.protocol.payloads import arguments_of, event_payload


class EmitOptions(TypedDict, total=False):
    """What may be said of an event that is emitted, by name; the one function that spells it is `Server.emit`."""

    to: object
    room: object
    skip_sid: object
    namespace: str | None
    callback: object
    ignore_queue: bool
    message_id: str
    keeps_history: "bool | Keep"


class Emit(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to clients.

    Attributes:
        event: The event's name.
        data: Its argument; a tuple for several.
        namespace: The namespace of the clients.
        target: A room, a client's id, or a list of them; None is everybody in the namespace.
        skip_sid: A client, or a list of them, that does not get it.
        message_id: A second event with the same id is dropped; empty: none is.
        callback: Is called with each client's acknowledgement. Default: none is asked for.
        is_local: Whether only clients of this node get it.
        keep: What the history of its room keeps of it; None: nothing.

    """

    event: str
    data: object
    namespace: str
    target: object = None
    skip_sid: object = None
    message_id: str = ""
    callback: Callable[..., object] | None = None
    is_local: bool = False
    keep: Keep | None = None

    def arguments(self) -> list[object]:
        """Return the event's name and its arguments, as they stand in a packet."""
        return [self.event, *arguments_of(self.data)]

    def payload(self) -> bytes:
        """Return the event as the log keeps it."""
        return event_payload(self.arguments())

    def kept(self) -> Kept | None:
        """Return what goes into a history with it.

        Raises:
            ValueError: No room is named, or several are, or a client is: none of them has a history.

        """
        keep = self.keep
        if keep is None:
            return None
        room = self.target if keep.room is None else keep.room
        if room is None or not isinstance(room, str) or is_sid(room):
            raise ValueError("a history is of one room: emit to one, or name it by Keep(room=...)")
        entry = keep.entry
        if entry is msgspec.UNSET:
            entry = Said(self.event, arguments_of(self.data), datetime.now(UTC))
        return Kept(history_name(self.namespace, room), msgspec.json.encode(entry), keep.entries, keep.ttl_s)

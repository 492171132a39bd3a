"""What one call of `emit` asks for: the one object that goes down from there."""

from typing import Any

import msgspec

from roomwire.protocol.payloads import arguments_of, event_payload


class Emit(msgspec.Struct, frozen=True):
    """An event on its way to clients.

    Attributes:
        event: The event's name.
        data: Its argument; a tuple for several.
        namespace: The namespace of the clients.
        target: A room, a client's id, or a list of them; None is everybody in the namespace.
        skip_sid: A client, or a list of them, that does not get it.
        message_id: A second event with the same id is dropped; empty: none is.

    """

    event: str
    data: object
    namespace: str
    target: Any = None
    skip_sid: Any = None
    message_id: str = ""

    def arguments(self) -> list[Any]:
        """Return the event's name and its arguments, as they stand in a packet."""
        return [self.event, *arguments_of(self.data)]

    def payload(self) -> bytes:
        """Return the event as the log keeps it."""
        return event_payload(self.arguments())

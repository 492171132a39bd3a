"""One call of `emit` as an object, which all layers below pass on."""

from collections.abc import Callable
from typing import TypedDict

import msgspec

from roomwire.log.kept import Keep, Kept
from roomwire.log.targets import kept_of
from roomwire.protocol.payloads import arguments_of


class EmitOptions(TypedDict, total=False):
    """The options of an emitted event by name. Only `Server.emit` spells them out."""

    to: object
    room: object
    skip_sid: object
    except_rooms: object
    namespace: str | None
    callback: object
    ignore_queue: bool
    message_id: str
    keeps_history: "bool | Keep"
    volatile: bool


class Emit(msgspec.Struct, frozen=True, gc=False):
    """An event on its way to clients.

    Attributes:
        event: The event's name.
        data: The event's argument; a tuple for several.
        namespace: The namespace of the clients.
        target: A room, a client's id, or a list of them. None means all clients of the namespace.
        skip_sid: A client, or a list of clients, that does not receive the event.
        message_id: A further event with the same id is dropped. An empty id has no effect.
        callback: Called with each client's ack. Default: no ack is requested.
        is_local: Whether only clients of this node receive the event.
        keep: What the history of its room stores of it. None means nothing.
        except_rooms: A room, a client's id, or a list of them, whose members do not receive the event.

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
    except_rooms: object = None

    def arguments(self) -> list[object]:
        """Return the event's name and arguments in the form of a packet."""
        return [self.event, *arguments_of(self.data)]

    def kept(self, at: float) -> Kept | None:
        """Return the entry for the room's history.

        Args:
            at: The time, in seconds since 1970.

        Raises:
            ValueError: The target is not exactly one room, so that there is no history.

        """
        if self.keep is None:
            return None
        return kept_of(self.keep, self.event, self.data, to=self.target, namespace=self.namespace, at=at)

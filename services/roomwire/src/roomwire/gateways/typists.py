"""Typing: the event that the members of a room receive while the user of another socket is typing.

The event is valid at its receivers for `TYPING_S`. A client repeats it every `TYPING_INTERVAL_S` while its user is typing. No event
announces the end, so a client that vanishes stops typing by itself, and gateways keep no list of typing users.
"""

from typing import Final

import msgspec

from roomwire.gateways.socket import Socket, shown_user_id

TYPING_S: Final = 4.0
"""How long an event is valid at its receivers, in seconds."""
TYPING_INTERVAL_S: Final = 2.0
"""The interval at which a client repeats the event while its user is typing, in seconds."""


class Typing(msgspec.Struct, frozen=True):
    """The argument of `Gateway.typing_event`: the user of a socket is typing in a room.

    Attributes:
        room: The room.
        id: The socket's id.
        user: The user's id; empty for an anonymous user.
        name: The user's name from its token.

    """

    room: str
    id: str
    user: str
    name: str


def typing_of(socket: Socket, room: str) -> Typing:
    """Return the event's argument for a socket."""
    return Typing(room, socket.id, shown_user_id(socket.user), socket.user.name)

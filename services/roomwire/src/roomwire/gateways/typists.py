"""Typing: what the members of a room receive while the user of another socket writes.

The rule: an event says that the user writes now, and holds for `TYPING_S` where it arrives. A client repeats it every
`TYPING_INTERVAL_S` while its user writes. No event says that the user has stopped, so a client that vanishes stops by itself, and no
gateway keeps who is typing.
"""

from typing import Final

import msgspec

from roomwire.gateways.socket import Socket, shown_user_id

TYPING_S: Final = 4.0
"""How long an event holds where it arrives, in seconds."""
TYPING_INTERVAL_S: Final = 2.0
"""How often a client repeats it while its user writes, in seconds."""


class Typing(msgspec.Struct, frozen=True):
    """The argument of `Gateway.typing_event`: the user of a socket writes in a room.

    Attributes:
        room: The room.
        id: The socket's id.
        user: The user's id; empty for an anonymous one.
        name: The user's name, as its token says.

    """

    room: str
    id: str
    user: str
    name: str


def typing_of(socket: Socket, room: str) -> Typing:
    """Return what the members of a room receive of a socket."""
    return Typing(room, socket.id, shown_user_id(socket.user), socket.user.name)

"""What the chat's events cost, in ordinary events (`roomwire.limits.costs`): an event that is not listed costs one.

Bytes of answers, and members of a crowd that receive an event, are charged besides.
"""

from collections.abc import Mapping
from typing import Final

from roomwire.limits.costs import of_receivers

COSTS: Final[Mapping[str, int]] = {
    "message": 1,
    "joinRoom": 1,
    "leaveRoom": 1,
    "chatMessage": 1,
    "typing": 1,
    "history": 1,
    "presence": 2,
    "rooms": 2,
    "refreshToken": 1,
}
"""Millisecond of CPU of the gateway and Redis, rounded up; joining a room is the dearest event with the cost 1, so that a client that
connects again can join all its rooms at once."""
CROWDS: Final[Mapping[str, int]] = {"message": 1, "leaveRoom": 2, "chatMessage": 1, "typing": 1}
"""How often an event reaches each member of its crowd. Joining tells the room as much as leaving it, and is charged there: clients that
connect again join all their rooms at once."""
HISTORY_BYTES: Final = 262_144
"""The limit on the messages of one answer to `history`, in bytes; at least one message is returned."""


def of_crowd(event: str, members: int) -> int:
    """Return what an event costs for the members of its crowd on this node, beyond its price."""
    return CROWDS.get(event, 0) * of_receivers(members)

"""The rooms of users: all sockets of a user, on any node, are in one room. Pure."""

from typing import Final

_PREFIX: Final = "user:"


def user_room(user_id: str) -> str:
    """Return the room of all sockets of a user, for gateways that have such rooms (`Gateway.has_user_rooms`).

    Args:
        user_id: The claim `sub` of the user's tokens.

    """
    return f"{_PREFIX}{user_id}"


def is_user_room(room: object) -> bool:
    """Return whether a room's name is one of a user's room."""
    return isinstance(room, str) and room.startswith(_PREFIX)

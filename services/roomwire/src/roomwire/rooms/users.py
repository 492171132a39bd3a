"""The rooms of users: all sockets of a user are in one, whatever node they are on. Pure."""

from typing import Final

_PREFIX: Final = "user:"


def user_room(user_id: str) -> str:
    """Return the room of all sockets of a user, of gateways that have such rooms (`Gateway.has_user_rooms`).

    Args:
        user_id: The claim `sub` of the user's tokens.

    """
    return f"{_PREFIX}{user_id}"


def is_user_room(room: object) -> bool:
    """Tell whether a room has the name of a user's."""
    return isinstance(room, str) and room.startswith(_PREFIX)

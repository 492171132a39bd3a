"""The rooms that one client opens: joins or speaks to without being in them. Pure: the time is passed in.

A new room costs Redis some kilobytes for minutes, whoever is in it. The rate of events does not bound that: each event may name
another room.
"""

from typing import Final

NEW_ROOMS_WINDOW_S: Final = 600.0
"""The seconds within which the new rooms of a client are counted, from the first one on."""


class NewRooms:
    """Counts the different rooms that one client opens within `NEW_ROOMS_WINDOW_S`.

    Args:
        most: Maximum number of rooms. 0 disables the limit.

    Attributes:
        was_exceeded: Whether the client was refused a room before.

    """

    __slots__ = ("_most", "_rooms", "_until", "was_exceeded")

    def __init__(self, most: int) -> None:
        self._most = most
        self._until = 0.0
        self.was_exceeded = False
        self._rooms: set[object] = set()

    def is_exceeded(self, room: object, now: float) -> bool:
        """Count a room; return whether it is one too many, and was not counted.

        Args:
            room: The room.
            now: Monotonic seconds.

        """
        if room in self._rooms and now < self._until:
            return False
        if now >= self._until:
            self._until = now + NEW_ROOMS_WINDOW_S
            self._rooms.clear()
        if 0 < self._most <= len(self._rooms):
            return True
        if self._most:
            self._rooms.add(room)
        return False

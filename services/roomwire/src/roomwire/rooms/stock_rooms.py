"""The rooms in the form that programs for python-socketio know: its manager's `rooms[namespace][room][sid]`. Read-only."""

from collections.abc import Iterator, Mapping
from typing import cast

from roomwire.rooms.member import Member
from roomwire.rooms.registry import Registry


class StockRooms(Mapping[str, "Mapping[object, Mapping[str, str]]"]):
    """The namespaces with clients on this node.

    Args:
        registry: The members and their rooms.

    """

    def __init__(self, registry: Registry) -> None:
        self._namespaces = registry.rooms

    def __getitem__(self, namespace: str) -> "Mapping[object, Mapping[str, str]]":
        return _Rooms(self._namespaces[namespace])

    def __iter__(self) -> Iterator[str]:
        return iter(self._namespaces)

    def __len__(self) -> int:
        return len(self._namespaces)

    def __repr__(self) -> str:
        return repr({namespace: dict(rooms) for namespace, rooms in self.items()})


class _Rooms(Mapping[object, "Mapping[str, str]"]):
    """The rooms of a namespace: that of all members (None), those of single ones, and the others."""

    def __init__(self, rooms: Mapping[object, Mapping[str, Member]]) -> None:
        self._rooms = rooms
        self._everyone = rooms[None]

    def __getitem__(self, room: object) -> "Mapping[str, str]":
        found = self._rooms.get(room)
        if found is None:
            alone = self._everyone[cast("str", room)]
            found = {alone.sid: alone}
        return Connections(found)

    def __iter__(self) -> Iterator[object]:
        yield from self._rooms
        yield from self._everyone

    def __len__(self) -> int:
        return len(self._rooms) + len(self._everyone)

    def __repr__(self) -> str:
        return repr(dict(self))


class Connections(Mapping[str, str]):
    """The clients of a room, each with the id of its connection."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        self._members = members

    def __getitem__(self, sid: str) -> str:
        return self._members[sid].connection.sid

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return repr(dict(self))

    @property
    def inverse(self) -> dict[str, str]:
        """The clients by the ids of their connections; python-socketio's rooms are a `bidict`."""
        return {connection: sid for sid, connection in self.items()}

    inv = inverse

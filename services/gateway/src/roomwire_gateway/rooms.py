"""The chat's rooms across all gateways: which rooms exist, and their members.

Owns the names of the Socket.IO rooms that stand for a room, and the number of members here. Who is in a room, the sessions of
the log say (`Server.presence`), under which name their data.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roomwire import Server
from roomwire.cluster.results import Presence, Present
from roomwire.log.sessions import is_sid
from roomwire_gateway.messages import RoomMember, RoomSize

AUDIENCES: Final = ("text", "full")
"""Members that get the tutorial's text alone, and those that get the structured form as well."""
MAX_LISTED: Final = 1_000
TIMEOUT_S: Final = 2.0
_EVENT: Final = "chat.rooms"
_PREFIXES: Final = frozenset({*AUDIENCES, "user"})


def audience_of(audience: str, room: str = "") -> str:
    """Return the Socket.IO room of an audience of a room; without one, of everybody's."""
    return f"{audience}:{room}" if room else audience


def rooms_of(audience: str, room: str) -> Sequence[str]:
    """Return the Socket.IO rooms that a member of a room is in.

    They are the room of its audience, which gets the chat's own messages in that audience's form, and the room itself under
    the name that its users know, so that any backend reaches all members by it. A name that could be a socket's id, a
    user's room or an audience's stands for nothing by itself: its members are reached by their audiences.
    """
    is_taken = is_sid(room) or room.partition(":")[0] in _PREFIXES
    return [audience_of(audience, room)] if is_taken else [audience_of(audience, room), room]


class ChatRooms:
    """Counts who is in which room here, and asks the others.

    Args:
        server: The server of this gateway.
        namespace: Where the chat is.

    """

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._sizes: Counter[str] = Counter()
        server.on_server_side(_EVENT, self._largest_here, namespace=namespace)

    def entered(self, room: str) -> None:
        """Count one more member here."""
        self._sizes[room] += 1

    def left(self, room: str) -> None:
        """Count one member less."""
        self._sizes[room] -= 1
        if self._sizes[room] <= 0:
            del self._sizes[room]

    async def largest(self, *, limit: int = 100) -> Sequence[RoomSize]:
        """Return the rooms with connected members, the largest first.

        Each gateway tells its `MAX_LISTED` largest; those of one that does not answer are not counted.

        Raises:
            Unavailable: Nobody knows which gateways there are.

        """
        told = await self._server.server_side_emit_with_ack(
            _EVENT, namespace=self._namespace, timeout_s=TIMEOUT_S
        )
        sizes = Counter(self._largest_here())
        for answer in told.answers.values():
            sizes.update(answer)
        return [RoomSize(room, members) for room, members in sizes.most_common(limit)]

    async def presence(self, room: str, *, limit: int) -> Presence:
        """Return who is in a room, connected or away; see `Server.presence`."""
        audiences = [audience_of(audience, room) for audience in AUDIENCES]
        return await self._server.presence(
            audiences, namespace=self._namespace, timeout_s=TIMEOUT_S, limit=limit
        )

    def _largest_here(self) -> dict[str, int]:
        return dict(self._sizes.most_common(MAX_LISTED))


def member_of(present: Present, room: str) -> RoomMember:
    """Return somebody in a room as clients are told: under the name that it chose there."""
    rooms: Mapping[str, Any] = present.data.get("rooms", {}) if isinstance(present.data, dict) else {}
    name = rooms.get(room, present.user_name)
    return RoomMember(id=present.sid, user=name, gateway=present.node.rpartition(".")[0])

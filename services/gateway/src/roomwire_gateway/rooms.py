"""The chat's rooms across all gateways: which rooms exist, and their members.

This module owns the names of the Socket.IO rooms that represent a room, and counts the members on this gateway. The log's
sessions tell which members a room has (`Server.presence`), and the sessions' data tell their names.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from roomwire import Server, User
from roomwire.cluster.results import Presence, Present
from roomwire.cluster.shared import Shared
from roomwire.log.sessions import is_sid
from roomwire_gateway.messages import RoomMember, RoomSize, Sender

AUDIENCES: Final = ("text", "full")
"""Members that get only the tutorial's text, and members that get the structured form as well."""
MAX_LISTED: Final = 1_000
MANY: Final = 100
"""A list of at least so many rooms is made once for all that ask within a moment."""
TIMEOUT_S: Final = 2.0
_EVENT: Final = "chat.rooms"
_PREFIXES: Final = frozenset({*AUDIENCES, "user"})


def audience_of(audience: str, room: str = "") -> str:
    """Return the Socket.IO room of a room's audience; without a room, of the audience among all clients."""
    return f"{audience}:{room}" if room else audience


def rooms_of(audience: str, room: str) -> Sequence[str]:
    """Return the Socket.IO rooms of a room's member.

    They are the room of its audience, which gets the chat's own messages in that audience's form, and the room under
    the name that users know, by which any backend reaches all members. A name that could be a socket's id, a user's room
    or an audience's room gets no room of its own; its members are reached through their audiences.
    """
    is_taken = is_sid(room) or room.partition(":")[0] in _PREFIXES
    return [audience_of(audience, room)] if is_taken else [audience_of(audience, room), room]


class ChatRooms:
    """Counts the members of each room on this gateway, and asks the other gateways.

    Args:
        server: The server of this gateway.
        namespace: The chat's namespace.

    """

    def __init__(self, server: Server, namespace: str) -> None:
        self._server = server
        self._namespace = namespace
        self._sizes: Counter[str] = Counter()
        self._shared: Shared[Sequence[RoomSize]] = Shared(lambda sizes: len(sizes) >= MANY)
        server.on_server_side(_EVENT, self._largest_here, namespace=namespace)

    def entered(self, room: str) -> None:
        """Count one more member on this gateway."""
        self._sizes[room] += 1

    def left(self, room: str) -> None:
        """Count one member less on this gateway."""
        self._sizes[room] -= 1
        if self._sizes[room] <= 0:
            del self._sizes[room]

    def members_here(self, room: str) -> int:
        """Return how many members of a room are connected to this gateway."""
        return self._sizes[room]

    async def largest(self, *, limit: int = 100) -> Sequence[RoomSize]:
        """Return the rooms with connected members, the largest first.

        Each gateway reports its `MAX_LISTED` largest rooms; a gateway that does not answer is not counted. A list of `MANY` rooms or
        more may be a second old.

        Raises:
            Unavailable: The list of gateways cannot be read.

        """
        return await self._shared.get(limit, lambda: self._largest(limit))

    async def _largest(self, limit: int) -> Sequence[RoomSize]:
        told = await self._server.server_side_emit_with_ack(
            _EVENT, namespace=self._namespace, timeout_s=TIMEOUT_S
        )
        sizes = Counter(self._largest_here())
        for answer in told.answers.values():
            sizes.update(answer)
        return [RoomSize(room, members) for room, members in sizes.most_common(limit)]

    async def presence(self, room: str, *, limit: int) -> Presence:
        """Return the members of a room, connected or away; see `Server.presence`."""
        audiences = [audience_of(audience, room) for audience in AUDIENCES]
        return await self._server.presence(
            audiences, namespace=self._namespace, timeout_s=TIMEOUT_S, limit=limit
        )

    def _largest_here(self) -> dict[str, int]:
        return dict(self._sizes.most_common(MAX_LISTED))


def member_of(present: Present, room: str) -> RoomMember:
    """Return a member of a room as clients see it: under the name that it chose there."""
    rooms: Mapping[str, Any] = present.data.get("rooms", {}) if isinstance(present.data, dict) else {}
    name = rooms.get(room, present.user_name)
    sender = Sender(present.user_id, present.user_kind) if present.user_id else None
    return RoomMember(id=present.sid, user=name, gateway=present.node.rpartition(".")[0], sender=sender)


def sender_of(user: User) -> Sender | None:
    """Return a user as other clients see it, by what its token states; None without a token."""
    return None if user.kind == "anonymous" else Sender(user.id, user.kind)

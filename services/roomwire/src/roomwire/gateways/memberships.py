"""Tells a gateway which rooms one of its sockets joins and leaves, each time once."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from roomwire.errors import ClientError
from roomwire.gateways.socket import Socket, shown_user_id
from roomwire.logs import get_logger

_log = get_logger(__name__)


class PresentSocket(msgspec.Struct, frozen=True):
    """A socket in a room, as the members of the room see it.

    Attributes:
        id: The socket's id.
        user: The user's id; empty for an anonymous user.
        name: The user's name from its token.

    """

    id: str
    user: str
    name: str


class PresenceChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """The argument of `Gateway.presence_event`: a socket joined a room, or the socket with this id left it."""

    room: str
    joined: PresentSocket | None = None
    left: str | None = None


class MembershipHooks(Protocol):
    """A gateway's hooks for a socket that joins or leaves a room."""

    presence_event: str

    def membership_began(self, socket: Socket, room: object) -> Awaitable[None]:
        """Run the hook for a socket that has joined a room."""

    def membership_ended(self, socket: Socket, room: object) -> Awaitable[None]:
        """Run the hook for a socket that has left a room."""

    def tell_membership(self, change: PresenceChange) -> Awaitable[object]:
        """Announce a change to the members of a room."""


class Memberships:
    """Tells a gateway of the rooms of a socket; a `roomwire.rooms.member.RoomWatch`.

    Args:
        socket: The socket.
        hooks: The gateway.
        is_own: Says whether a room is Roomwire's own and not the application's.

    """

    __slots__ = ("_hooks", "_is_own", "_rooms", "_socket")

    def __init__(self, socket: Socket, hooks: MembershipHooks, *, is_own: Callable[[object], bool]) -> None:
        self._socket = socket
        self._hooks = hooks
        self._is_own = is_own
        self._rooms: dict[object, None] = {}

    async def joined(self, room: object) -> None:
        """Report that the socket has joined a room; raises what the gateway's hook raises."""
        if room in self._rooms or self._is_own(room):
            return
        self._rooms[room] = None
        await self._hooks.membership_began(self._socket, room)
        if self._hooks.presence_event and isinstance(room, str):
            user = self._socket.user
            present = PresentSocket(self._socket.id, shown_user_id(user), user.name)
            await self._hooks.tell_membership(PresenceChange(room, joined=present))

    async def left(self, room: object) -> None:
        """Report that the socket has left a room; raises what the gateway's hook raises."""
        if room not in self._rooms:
            return
        del self._rooms[room]
        await self._hooks.membership_ended(self._socket, room)
        if self._hooks.presence_event and isinstance(room, str):
            await self._hooks.tell_membership(PresenceChange(room, left=self._socket.id))

    async def end(self) -> None:
        """Report that the socket has left all its rooms. An exception of a hook is logged, and the other rooms follow."""
        for room in [*self._rooms]:
            try:
                await self.left(room)
            except ClientError as error:
                _log.warning("leaving not told", sid=self._socket.id, code=error.code, error=error.message)
            except Exception:
                _log.exception("on_leave failed", sid=self._socket.id, namespace=self._socket.namespace)

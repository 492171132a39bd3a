"""The rooms of one socket, as its gateway is told of them: each joining once, and each leaving once."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from roomwire.errors import ClientError
from roomwire.gateways.socket import Socket, shown_user_id
from roomwire.logs import get_logger

_log = get_logger(__name__)


class PresentSocket(msgspec.Struct, frozen=True):
    """A socket in a room, as the members of the room are told of it.

    Attributes:
        id: The socket's id.
        user: The user's id; empty for an anonymous one.
        name: The user's name, as its token says.

    """

    id: str
    user: str
    name: str


class PresenceChange(msgspec.Struct, frozen=True, omit_defaults=True):
    """The argument of `Gateway.presence_event`: a socket joined a room, or the socket of an id left it."""

    room: str
    joined: PresentSocket | None = None
    left: str | None = None


class MembershipHooks(Protocol):
    """What a gateway does when a socket comes into a room, and when it goes out."""

    presence_event: str

    def membership_began(self, socket: Socket, room: object) -> Awaitable[None]:
        """Run the hook for a socket that is in a room now."""

    def membership_ended(self, socket: Socket, room: object) -> Awaitable[None]:
        """Run the hook for a socket that is in a room no more."""

    def tell_membership(self, change: PresenceChange) -> Awaitable[object]:
        """Tell the members of a room."""


class Memberships:
    """Tells a gateway of the rooms of a socket; a `roomwire.rooms.member.RoomWatch`.

    Args:
        socket: The socket.
        hooks: The gateway.
        is_own: Says which rooms are none of the application's.

    """

    __slots__ = ("_hooks", "_is_own", "_rooms", "_socket")

    def __init__(self, socket: Socket, hooks: MembershipHooks, *, is_own: Callable[[object], bool]) -> None:
        self._socket = socket
        self._hooks = hooks
        self._is_own = is_own
        self._rooms: dict[object, None] = {}

    async def joined(self, room: object) -> None:
        """Tell that the socket is in a room; raises what the gateway's hook raises."""
        if room in self._rooms or self._is_own(room):
            return
        self._rooms[room] = None
        await self._hooks.membership_began(self._socket, room)
        if self._hooks.presence_event and isinstance(room, str):
            user = self._socket.user
            present = PresentSocket(self._socket.id, shown_user_id(user), user.name)
            await self._hooks.tell_membership(PresenceChange(room, joined=present))

    async def left(self, room: object) -> None:
        """Tell that the socket is in a room no more; raises what the gateway's hook raises."""
        if room not in self._rooms:
            return
        del self._rooms[room]
        await self._hooks.membership_ended(self._socket, room)
        if self._hooks.presence_event and isinstance(room, str):
            await self._hooks.tell_membership(PresenceChange(room, left=self._socket.id))

    async def end(self) -> None:
        """Tell that the socket is in no room any more; what a hook raises is logged, and the other rooms are told."""
        for room in [*self._rooms]:
            try:
                await self.left(room)
            except ClientError as error:
                _log.warning("leaving not told", sid=self._socket.id, code=error.code, error=error.message)
            except Exception:
                _log.exception("on_leave failed", sid=self._socket.id, namespace=self._socket.namespace)

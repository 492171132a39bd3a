"""The members of the chat's rooms on this gateway: their names there, and how they join and leave."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import msgspec

from roomwire import Server, Socket
from roomwire.errors import ClientError, Forbidden, Unavailable
from roomwire.logs import get_logger
from roomwire_gateway.announcements import Announcements
from roomwire_gateway.messages import PresenceChange, RoomMember
from roomwire_gateway.rooms import ChatRooms, rooms_of, sender_of

MAX_ROOMS_PER_CONNECTION: Final = 100
_MOVE: Final = "chat.move"
_MOVE_S: Final = 15.0
_AT_ONCE: Final = 50

_log = get_logger(__name__)


class Moves(msgspec.Struct, frozen=True):
    """The result of a move: how many members moved, were refused, and failed; and the gateways that did not answer."""

    done: int
    refused: int
    failed: int
    missing: Sequence[str]


class Members:
    """Knows the connected members of rooms on this gateway, and moves members on all gateways.

    Args:
        server: The server of this gateway.
        namespace: The chat's namespace.
        rooms: The rooms across all gateways.
        announcements: Tells the other clients.

    """

    def __init__(
        self, server: Server, namespace: str, rooms: ChatRooms, announcements: Announcements
    ) -> None:
        self._server = server
        self._namespace = namespace
        self._rooms = rooms
        self._announcements = announcements
        self._names: dict[str, dict[str, str]] = {}
        self._sockets: dict[str, Socket] = {}
        server.on_server_side(_MOVE, self._move_here, namespace=namespace)

    def __len__(self) -> int:
        return len(self._sockets)

    def came(self, socket: Socket) -> None:
        """Note a client that is not yet in a room."""
        self._sockets[socket.id] = socket
        self._names[socket.id] = {}

    async def came_back(self, socket: Socket) -> None:
        """Restore the rooms of a client that continues its session."""
        session = await self._server.get_session(socket.id, namespace=self._namespace)
        for room, user in session.get("rooms", {}).items():
            self._note_joined(socket, room, user)
            if not socket.user.capabilities.may("join", room):
                # Its token has been replaced by one that allows less.
                await self._leave(socket, room)
                continue
            # A gateway of the previous release put members only into the room of their audience.
            await self._join(socket, room)

    async def went(self, socket: Socket, reason: str) -> None:
        """Take a client out of its rooms, unless its session continues here."""
        if self._sockets.get(socket.id) is not socket:
            return
        del self._sockets[socket.id]
        for room in self._names.pop(socket.id, {}):
            self._rooms.left(room)
            try:
                await self._announcements.presence(PresenceChange(room=room, left=socket.id))
            except Unavailable as error:
                _log.warning(
                    "presence not updated", room=room, sid=socket.id, reason=reason, error=error.message
                )

    async def enter(self, socket: Socket, room: str, user: str) -> None:
        """Join a room under a name, and tell the room; if either fails, neither takes effect.

        Raises:
            Forbidden: The client is already in `MAX_ROOMS_PER_CONNECTION` rooms.

        """
        names = self._names[socket.id]
        if names.get(room) == user:
            return
        if room not in names and len(names) >= MAX_ROOMS_PER_CONNECTION:
            raise Forbidden(f"A connection can be in {MAX_ROOMS_PER_CONNECTION} rooms at most.")
        await self._enter(socket, room, user)

    async def _enter(self, socket: Socket, room: str, user: str) -> None:
        sender = sender_of(socket.user)
        member = RoomMember(id=socket.id, user=user, gateway=self._server.node_name, sender=sender)
        try:
            await self._join(socket, room)
            self._note_joined(socket, room, user)
            await self._keep_rooms(socket)
            await self._announcements.came_or_went(room, user, "joined", sender=sender)
            await self._announcements.presence(PresenceChange(room=room, joined=member))
        except ClientError:
            await self._leave(socket, room)
            raise

    async def leave(self, socket: Socket, room: str) -> None:
        """Leave a room, and tell the room; nothing happens if the client is not in it."""
        user = self._names[socket.id].get(room)
        if user is not None:
            await self._leave(socket, room)
            await self._announcements.came_or_went(room, user, "left", sender=sender_of(socket.user))
            await self._announcements.presence(PresenceChange(room=room, left=socket.id))

    async def leave_forbidden(self, socket: Socket) -> None:
        """Leave the rooms that the client's token no longer allows."""
        for room in [*self._names[socket.id]]:
            if not socket.user.capabilities.may("join", room):
                await self._leave(socket, room)
                await self._announcements.presence(PresenceChange(room=room, left=socket.id))

    async def move(self, room: str, to: str, *, user: str = "") -> Moves:
        """Move the connected members of a room, or (`user`) of one user, to another room, on all gateways.

        The members keep their names. A member whose token does not allow it to join the other room stays.

        Raises:
            Unavailable: The list of gateways cannot be read; nothing was done.

        """
        # The other gateways come first: if their list cannot be read, nothing has been done.
        told = await self._server.server_side_emit_with_ack(
            _MOVE, room, to, user, namespace=self._namespace, timeout_s=2 * _MOVE_S
        )
        counts = [await self._move_here(room, to, user), *told.answers.values()]
        done, refused, failed = (sum(column) for column in zip(*counts, strict=True))
        return Moves(done, refused, failed, told.missing)

    async def _move_here(self, room: str, to: str, user: str) -> list[int]:
        """Move the members of this gateway; returns how many moved, were refused, and failed."""
        sockets = [
            socket
            for sid, socket in self._sockets.items()
            if room != to and room in self._names[sid] and user in {"", socket.user.id}
        ]
        allowed = [socket for socket in sockets if socket.user.capabilities.may("join", to)]
        failed, ends_at = 0, time.monotonic() + _MOVE_S
        for start in range(0, len(allowed), _AT_ONCE):
            if time.monotonic() >= ends_at:
                failed += len(allowed) - start
                break
            moving = (self._move(socket, room, to) for socket in allowed[start : start + _AT_ONCE])
            for outcome in await asyncio.gather(*moving, return_exceptions=True):
                # A client that disconnects meanwhile is no longer known, and counts as failed.
                if isinstance(outcome, ClientError | KeyError | ValueError):
                    failed += 1
                elif outcome is not None:
                    raise outcome
        return [len(allowed) - failed, len(sockets) - len(allowed), failed]

    async def _move(self, socket: Socket, room: str, to: str) -> None:
        await self._enter(socket, to, self._names[socket.id][room])
        await self.leave(socket, room)

    async def _leave(self, socket: Socket, room: str) -> None:
        if self._names[socket.id].pop(room, None) is not None:
            self._rooms.left(room)
        for one in _rooms_of(socket, room):
            await socket.leave(one)
        await self._keep_rooms(socket)

    async def _join(self, socket: Socket, room: str) -> None:
        for one in _rooms_of(socket, room):
            await socket.join(one)

    def _note_joined(self, socket: Socket, room: str, user: str) -> None:
        if room not in self._names[socket.id]:
            self._rooms.entered(room)
        self._names[socket.id][room] = user

    async def _keep_rooms(self, socket: Socket) -> None:
        session = {"rooms": dict(self._names[socket.id])}
        await self._server.save_session(socket.id, session, namespace=self._namespace)


def _rooms_of(socket: Socket, room: str) -> Sequence[str]:
    return rooms_of("full" if socket.in_room("full") else "text", room)

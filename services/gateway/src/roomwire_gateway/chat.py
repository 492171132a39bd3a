"""The chat gateway: rooms, messages to a room, messages to everybody.

A member of a room is in the Socket.IO room of that name, and in that of its audience, `text:<room>` or `full:<room>`:
clients that asked for structured messages get a second argument that others must not see. See `roomwire_gateway.rooms`.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec

from roomwire import Gateway, Keep, Key, Socket, User, subscribe
from roomwire.cluster.results import Changed
from roomwire.errors import ClientError, Forbidden, Unavailable
from roomwire.logs import get_logger
from roomwire_gateway.messages import (
    ChatMessage,
    ConnectOptions,
    HistoryQuery,
    JoinRoom,
    Kept,
    LeaveRoom,
    Message,
    Name,
    PresenceChange,
    RefreshToken,
    Renewal,
    RoomHistory,
    RoomList,
    RoomMember,
    RoomPresence,
    Text,
    Typing,
)
from roomwire_gateway.rooms import AUDIENCES, ChatRooms, audience_of, member_of, rooms_of, user_room

MAX_ROOMS_PER_CONNECTION: Final = 100
MAX_PRESENT: Final = 1_000
MAX_MEMBERS: Final = 100
_MOVE: Final = "chat.move"
_MOVE_S: Final = 15.0
_AT_ONCE: Final = 50

_log = get_logger(__name__)


class Moves(msgspec.Struct, frozen=True):
    """What became of a move: how many moved, may not, could not; and the gateways that did not answer."""

    done: int
    refused: int
    failed: int
    missing: Sequence[str]


class ChatGateway(Gateway):
    """The reference application.

    Args:
        verify: Returns whom a token speaks for; see `Verifier.verify`. Default: tokens are not taken.
        namespace: Where it is served. Default: `/`.
        reaches_users: Whether users can be spoken to, and disconnected, wherever they are: then each connection of a user
            with a token joins a room of the user's. Default: no.
        clock: Returns the time in UTC. Default: the system's.

    """

    def __init__(
        self,
        *,
        verify: Callable[[str], Awaitable[User]] | None = None,
        namespace: str = "/",
        reaches_users: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(namespace)
        self._verify = verify
        self._reaches_users = reaches_users
        self._clock = clock
        self._joined: dict[str, dict[str, str]] = {}
        self._rooms: ChatRooms
        self._sockets: dict[str, Socket] = {}

    async def after_init(self) -> None:
        """Tell other gateways of the rooms here from now on."""
        self._rooms = ChatRooms(self.server, self.namespace)
        self.server.on_server_side(_MOVE, self._move_here, namespace=self.namespace)

    async def on_connection(self, socket: Socket, options: ConnectOptions) -> None:
        """Greet the client; one that continues its session was greeted before, and is in its rooms."""
        self._sockets[socket.id] = socket
        self._joined[socket.id] = {}
        if self._reaches_users and socket.user.kind != "anonymous":
            await socket.join(user_room(socket.user.id))
        if socket.recovered:
            await self._return(socket)
            return
        await socket.join("full" if options.structured else "text")
        await socket.emit("welcome", f"Welcome, {socket.id}!")

    async def on_disconnection(self, socket: Socket, reason: str) -> None:
        """Take the client out of its rooms, unless its session continues."""
        if self._sockets.get(socket.id) is not socket:
            return
        del self._sockets[socket.id]
        for room in self._joined.pop(socket.id, {}):
            self._rooms.left(room)
            try:
                await self._tell_presence(PresenceChange(room=room, left=socket.id))
            except Unavailable as error:
                _log.warning(
                    "presence not updated", room=room, sid=socket.id, reason=reason, error=error.message
                )

    @subscribe("message")
    async def message(self, socket: Socket, text: Text) -> str:
        """Say something to everybody."""
        socket.user.capabilities.require("broadcast")
        message = Message(id=uuid.uuid4().hex, user=socket.id, text=text, at=self._clock())
        await self._announce("message", f"[{socket.id}] {text}", message)
        return "Message received!"

    @subscribe("joinRoom")
    async def join_room(self, socket: Socket, body: JoinRoom) -> str:
        """Enter a room under a name."""
        socket.user.capabilities.require("join", body.room_id)
        rooms = self._joined[socket.id]
        if rooms.get(body.room_id) != body.user_name:
            if body.room_id not in rooms and len(rooms) >= MAX_ROOMS_PER_CONNECTION:
                raise Forbidden(f"A connection can be in {MAX_ROOMS_PER_CONNECTION} rooms at most.")
            await self._enter(socket, body)
        return f"Joined room {body.room_id}"

    @subscribe("leaveRoom")
    async def leave_room(self, socket: Socket, body: LeaveRoom) -> str:
        """Leave a room; leaving one that the client is not in is no error."""
        user = self._joined[socket.id].get(body.room_id)
        if user is not None:
            await self._leave(socket, body.room_id)
            await self._announce_coming_and_going(body.room_id, user, "left")
            await self._tell_presence(PresenceChange(room=body.room_id, left=socket.id))
        return f"Left room {body.room_id}"

    @subscribe("chatMessage")
    async def chat_message(self, socket: Socket, body: ChatMessage) -> str:
        """Say something in a room; what a client says again under the same `messageId` is heard once."""
        socket.user.capabilities.require("publish", body.room_id)
        message = Message(
            id=body.message_id or uuid.uuid4().hex,
            room=body.room_id,
            user=body.user_name,
            text=body.message,
            at=self._clock(),
            kind="message",
        )
        # The same id in another room, or another's, is another message.
        own_id = socket.own_id(_path(body.room_id, body.message_id)) if body.message_id else ""
        keep = Keep(room=body.room_id, entry=Kept(own_id=own_id or message.id, message=message))
        text = f"[{body.user_name} in {body.room_id}] {body.message}"
        await self._announce("roomMessage", text, message, own_id, keep)
        return "Message sent to room"

    @subscribe("typing")
    async def typing(self, socket: Socket, body: JoinRoom) -> None:
        """Tell the others in a room that somebody is writing."""
        socket.user.capabilities.require("publish", body.room_id)
        await socket.broadcast(
            f"full:{body.room_id}", "typing", Typing(room=body.room_id, user=body.user_name)
        )

    @subscribe("history")
    async def tell_history(self, user: User, body: HistoryQuery) -> RoomHistory:
        """Return what was said in a room lately."""
        user.capabilities.require("history", body.room_id)
        recalled = await self.history(body.room_id, limit=body.limit)
        messages: dict[str, Message] = {}
        for kept in recalled.values(Kept):
            # Gateways of the release before kept again what was said again under its id.
            messages.setdefault(kept.own_id, kept.message)
        return RoomHistory(room=body.room_id, messages=list(messages.values()))

    @subscribe("presence")
    async def tell_presence(self, user: User, room: Annotated[Name, Key("roomId")]) -> RoomPresence:
        """Return who is connected and in a room, on all gateways; who may come back is told when it does."""
        user.capabilities.require("presence", room)
        found = await self._rooms.presence(room, limit=MAX_PRESENT)
        here = [one for one in found.present if one.is_connected]
        count = found.total - (len(found.present) - len(here))
        members = [member_of(one, room) for one in here[:MAX_MEMBERS]]
        return RoomPresence(room=room, count=count, members=members)

    @subscribe("rooms")
    async def rooms(self, user: User) -> RoomList:
        """Return the rooms that have members."""
        user.capabilities.require("rooms")
        return RoomList(rooms=await self._rooms.largest())

    @subscribe("refreshToken")
    async def refresh_token(self, socket: Socket, body: RefreshToken) -> Renewal:
        """Stay connected by a new token of the same user; rooms that it does not allow are left."""
        if self._verify is None:
            raise Forbidden("Tokens are not looked at here.")
        socket.renew(await self._verify(body.token))
        for room in [*self._joined[socket.id]]:
            if not socket.user.capabilities.may("join", room):
                await self._leave(socket, room)
                await self._tell_presence(PresenceChange(room=room, left=socket.id))
        return Renewal(expires_at=datetime.fromtimestamp(socket.user.expires_at, UTC))

    # -- for backends: `roomwire_gateway.actions`

    @property
    def rooms_of_all(self) -> ChatRooms:
        """The rooms over all gateways."""
        return self._rooms

    def saying(
        self, event: str, args: Sequence[Any], *, room: str = "", user: str = "", message_id: str = ""
    ) -> Sequence[Coroutine[Any, Any, None]]:
        """Return what says any event to a room, to all sockets of a user, or (without either) to everybody.

        Begun in this order, by whatever runs them, that is the order in which they stand in the log. Each is an `emit`, with
        a message id of its own: after an error, all of them may be said again.
        """
        to = [user_room(user)] if user else [audience_of(audience, room) for audience in AUDIENCES]
        return [
            self.emit(event, tuple(args), to=one, message_id=f"{message_id}:{number}" if message_id else "")
            for number, one in enumerate(to)
        ]

    async def disconnect_user(self, user: str) -> Changed:
        """Send all sockets of a user away, and end those of its sessions that are away."""
        return await self.server.disconnect_sockets(user_room(user), namespace=self.namespace)

    async def move(self, room: str, to: str, *, user: str = "") -> Moves:
        """Take the connected members of a room, or (`user`) one user's, into another, on all gateways.

        They keep their names. Whoever may not join there by its own token stays.

        Raises:
            Unavailable: Nobody knows which gateways there are; nothing was done.

        """
        # The others first: if nobody knows them, nothing has been done.
        told = await self.server.server_side_emit_with_ack(
            _MOVE, room, to, user, namespace=self.namespace, timeout_s=2 * _MOVE_S
        )
        counts = [await self._move_here(room, to, user), *told.answers.values()]
        done, refused, failed = (sum(column) for column in zip(*counts, strict=True))
        return Moves(done, refused, failed, told.missing)

    async def _move_here(self, room: str, to: str, user: str) -> list[int]:
        """Move those who are here; returns how many did, may not, and could not."""
        sockets = [
            socket
            for sid, socket in self._sockets.items()
            if room != to and room in self._joined[sid] and user in {"", socket.user.id}
        ]
        allowed = [socket for socket in sockets if socket.user.capabilities.may("join", to)]
        failed, ends_at = 0, time.monotonic() + _MOVE_S
        for start in range(0, len(allowed), _AT_ONCE):
            if time.monotonic() >= ends_at:
                failed += len(allowed) - start
                break
            moving = (self._move(socket, room, to) for socket in allowed[start : start + _AT_ONCE])
            for outcome in await asyncio.gather(*moving, return_exceptions=True):
                # A client that leaves meanwhile is in no room any more: nothing knows it.
                if isinstance(outcome, ClientError | KeyError | ValueError):
                    failed += 1
                elif outcome is not None:
                    raise outcome
        return [len(allowed) - failed, len(sockets) - len(allowed), failed]

    async def _move(self, socket: Socket, room: str, to: str) -> None:
        name = self._joined[socket.id][room]
        await self._enter(socket, JoinRoom(room_id=to, user_name=name))
        await self._leave(socket, room)
        await self._announce_coming_and_going(room, name, "left")
        await self._tell_presence(PresenceChange(room=room, left=socket.id))

    async def _enter(self, socket: Socket, body: JoinRoom) -> None:
        """Join, then tell the room; if either cannot be done, nothing has been."""
        member = RoomMember(id=socket.id, user=body.user_name, gateway=self.server.node_name)
        try:
            await self._join(socket, body.room_id)
            self._note_joined(socket, body.room_id, body.user_name)
            await self._keep_rooms(socket)
            await self._announce_coming_and_going(body.room_id, body.user_name, "joined")
            await self._tell_presence(PresenceChange(room=body.room_id, joined=member))
        except ClientError:
            await self._leave(socket, body.room_id)
            raise

    async def _leave(self, socket: Socket, room: str) -> None:
        if self._joined[socket.id].pop(room, None) is not None:
            self._rooms.left(room)
        for one in self._rooms_of(socket, room):
            await socket.leave(one)
        await self._keep_rooms(socket)

    async def _join(self, socket: Socket, room: str) -> None:
        for one in self._rooms_of(socket, room):
            await socket.join(one)

    def _note_joined(self, socket: Socket, room: str, user: str) -> None:
        if room not in self._joined[socket.id]:
            self._rooms.entered(room)
        self._joined[socket.id][room] = user

    async def _return(self, socket: Socket) -> None:
        """Take up the rooms of a client that continues its session."""
        session = await self.server.get_session(socket.id, namespace=self.namespace)
        for room, user in session.get("rooms", {}).items():
            self._note_joined(socket, room, user)
            if not socket.user.capabilities.may("join", room):
                # Its token is another by now, and allows less.
                await self._leave(socket, room)
                continue
            # A gateway of the release before put its members into the room of their audience alone.
            await self._join(socket, room)

    async def _keep_rooms(self, socket: Socket) -> None:
        session = {"rooms": dict(self._joined[socket.id])}
        await self.server.save_session(socket.id, session, namespace=self.namespace)

    def _rooms_of(self, socket: Socket, room: str) -> Sequence[str]:
        return rooms_of("full" if socket.in_room("full") else "text", room)

    async def _announce_coming_and_going(self, room: str, user: str, kind: str) -> None:
        text = f"{user} has {kind} room {room}"
        message = Message(id=uuid.uuid4().hex, room=room, user=user, text=text, at=self._clock(), kind=kind)  # type: ignore[arg-type]
        await self._announce("roomMessage", text, message)

    async def _announce(
        self, event: str, text: str, message: Message, own_id: str = "", keep: Keep | None = None
    ) -> None:
        """Send a message to both audiences of its room, or of the whole namespace if it has none; once for an id."""
        for audience, said in zip(AUDIENCES, (text, (text, message)), strict=True):
            room = audience_of(audience, message.room)
            message_id = f"{own_id}:{audience}" if own_id else ""
            # The first of them keeps it: what a history has, somebody could have heard.
            await self.emit(event, said, to=room, message_id=message_id, keeps_history=keep or False)
            keep = None

    async def _tell_presence(self, change: PresenceChange) -> None:
        await self.emit("presence", change, to=f"full:{change.room}")


def _path(*names: str) -> str:
    """Join names by slashes so that no two lists of names become one text, escaped as in RFC 6901."""
    return "/".join(name.replace("~", "~0").replace("/", "~1") for name in names)

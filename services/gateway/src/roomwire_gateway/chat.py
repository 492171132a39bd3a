"""The chat gateway: rooms, messages to a room, and messages to everyone.

A member of a room is in the Socket.IO room of that name, and in that of its audience, `text:<room>` or `full:<room>`:
clients that asked for structured messages get a second argument that the others must not receive. See `roomwire_gateway.rooms`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Final

from roomwire import Gateway, Key, Socket, User, emits, subscribe
from roomwire.gateways.renewals import Renewal
from roomwire_gateway.announcements import Announcements
from roomwire_gateway.costs import COSTS, HISTORY_BYTES, of_crowd
from roomwire_gateway.members import Members
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
    RoomHistory,
    RoomList,
    RoomPresence,
    Text,
    Typing,
)
from roomwire_gateway.rooms import ChatRooms, audience_of, member_of, sender_of

MAX_PRESENT: Final = 1_000
MAX_MEMBERS: Final = 100


class ChatGateway(Gateway, typing_event="typing", renewal_event="refreshToken"):
    """The reference application.

    Args:
        namespace: The chat's namespace. Default: `/`.
        user_rooms: Whether users can be addressed, and disconnected, on whichever gateway they are. Default: no.
        moderated: Whether users can be banned and muted. Default: no.
        clock: Returns the time in UTC. Default: the system's clock.

    Attributes:
        announcements: Sends the chat's announcements.
        members: The members of rooms on this gateway.
        rooms: The rooms across all gateways.

    """

    announcements: Announcements
    members: Members
    rooms: ChatRooms
    # The contract's: `announcements` emits them in the form of each audience.
    welcomed = emits("welcome", str)
    said_to_all = emits("message", str, Message, required=1)
    said_to_room = emits("roomMessage", str, Message, required=1)
    presence_changed = emits("presence", PresenceChange)
    typed = emits("typing", Typing)

    def __init__(
        self,
        *,
        namespace: str = "/",
        user_rooms: bool = False,
        moderated: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(namespace, user_rooms=user_rooms, moderated=moderated)
        self._clock = clock

    async def after_init(self) -> None:
        """Make the rooms of this gateway known to the other gateways."""
        self.announcements = Announcements(self, self._clock)
        self.rooms = ChatRooms(self.server, self.namespace)
        self.members = Members(self.server, self.namespace, self.rooms, self.announcements)

    async def on_connection(self, socket: Socket, options: ConnectOptions) -> None:
        """Greet the client; one that continues its session has been greeted before, and keeps its rooms."""
        self.members.came(socket)
        if socket.recovered:
            await self.members.came_back(socket)
            return
        await socket.join("full" if options.structured else "text")
        await socket.emit("welcome", f"Welcome, {socket.id}!")

    async def on_disconnection(self, socket: Socket, reason: str) -> None:
        """Take the client out of its rooms, unless its session continues."""
        await self.members.went(socket, reason)

    @subscribe("message")
    async def message(self, socket: Socket, text: Text) -> str:
        """Send a message to all clients."""
        socket.user.capabilities.require("broadcast")
        socket.charge(of_crowd("message", len(self.members)))
        await self.announcements.message(socket.id, text, sender=sender_of(socket.user))
        return "Message received!"

    @subscribe("joinRoom", requires_voice=False)
    async def join_room(self, socket: Socket, body: JoinRoom) -> str:
        """Join a room under a name."""
        socket.user.capabilities.require("join", body.room_id)
        socket.require_room(body.room_id)
        await self.members.enter(socket, body.room_id, body.user_name)
        return f"Joined room {body.room_id}"

    @subscribe("leaveRoom", requires_voice=False)
    async def leave_room_of_chat(self, socket: Socket, body: LeaveRoom) -> str:
        """Leave a room; no error if the client is not in it."""
        socket.charge(of_crowd("leaveRoom", self.rooms.members_here(body.room_id)))
        await self.members.leave(socket, body.room_id)
        return f"Left room {body.room_id}"

    @subscribe("chatMessage")
    async def chat_message(self, socket: Socket, body: ChatMessage) -> str:
        """Send a message to a room; a message that a client repeats with the same `messageId` is delivered once."""
        socket.user.capabilities.require("publish", body.room_id)
        socket.require_room(body.room_id)
        socket.charge(of_crowd("chatMessage", self.rooms.members_here(body.room_id)))
        # The same id in another room, or from another client, is another message.
        own_id = socket.own_id(_path(body.room_id, body.message_id)) if body.message_id else ""
        await self.announcements.said(
            body.room_id,
            body.user_name,
            body.message,
            sender=sender_of(socket.user),
            message_id=body.message_id,
            own_id=own_id,
        )
        return "Message sent to room"

    @subscribe("typing")
    async def typing(self, socket: Socket, body: JoinRoom) -> None:
        """Tell the other members of a room that a member is typing."""
        socket.user.capabilities.require("publish", body.room_id)
        socket.charge(of_crowd("typing", self.rooms.members_here(body.room_id)))
        typing = Typing(room=body.room_id, user=body.user_name, sender=sender_of(socket.user))
        await self.tell_typing(socket, audience_of("full", body.room_id), typing)

    @subscribe("history", requires_voice=False)
    async def tell_history(self, user: User, body: HistoryQuery) -> RoomHistory:
        """Return the recent messages of a room."""
        user.capabilities.require("history", body.room_id)
        recalled = await self.history(
            body.room_id, limit=body.limit, before=body.before, max_bytes=HISTORY_BYTES
        )
        messages: dict[str, Message] = {}
        for kept in recalled.values(Kept):
            # Gateways of the previous release kept a repeated message again under the same id.
            messages.setdefault(kept.own_id, kept.message)
        before = recalled.entries[0].position if recalled.has_earlier else ""
        return RoomHistory(room=body.room_id, messages=list(messages.values()), before=before)

    @subscribe("presence", requires_voice=False, cost=COSTS["presence"])
    async def tell_presence(self, user: User, room: Annotated[Name, Key("roomId")]) -> RoomPresence:
        """Return the connected members of a room on all gateways; members that are away are left out."""
        user.capabilities.require("presence", room)
        found = await self.rooms.presence(room, limit=MAX_PRESENT)
        count = found.total - (len(found.present) - len(found.connected))
        members = [member_of(one, room) for one in found.connected[:MAX_MEMBERS]]
        return RoomPresence(room=room, count=count, members=members)

    @subscribe("rooms", requires_voice=False, cost=COSTS["rooms"])
    async def tell_rooms(self, user: User) -> RoomList:
        """Return the rooms that have members."""
        user.capabilities.require("rooms")
        return RoomList(rooms=await self.rooms.largest())

    async def renew_token(self, socket: Socket, token: str) -> Renewal:
        """Replace the token by a new one of the same user; the client leaves rooms that the new token forbids."""
        renewal = await super().renew_token(socket, token)
        await self.members.leave_forbidden(socket)
        return renewal


def _path(*names: str) -> str:
    """Join names by slashes, escaped as in RFC 6901, so that different lists never give the same text."""
    return "/".join(name.replace("~", "~0").replace("/", "~1") for name in names)

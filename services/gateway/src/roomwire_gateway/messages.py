"""The bodies of events and acks between the chat's clients and its gateway.

Field names on the wire are camel case. Unknown fields and over-long texts are refused before a handler runs.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

MAX_NAME_CHARS: Final = 64
MAX_TEXT_CHARS: Final = 4_000
MAX_HISTORY: Final = 200

Name = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
Text = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT_CHARS)]


class ConnectOptions(Struct, frozen=True):
    """What a client may send in its `auth` payload, besides its token.

    Attributes:
        structured: Whether the client wants room messages with their structured form as a second argument.

    """

    structured: bool = False


class _Body(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", kw_only=True):
    """The body of an event."""


class JoinRoom(_Body, frozen=True):
    """`joinRoom`, `typing`: a room, and the name that the other members see."""

    room_id: Name
    user_name: Name


class LeaveRoom(_Body, frozen=True):
    """`leaveRoom`."""

    room_id: Name
    user_name: Name | None = None


class ChatMessage(_Body, frozen=True):
    """`chatMessage`. `messageId` becomes the message's id, so a client recognizes its own message and may safely repeat it."""

    room_id: Name
    message: Text
    user_name: Name
    message_id: Name | None = None


class HistoryQuery(_Body, frozen=True):
    """`history`: the newest messages of a room, or (`before`) those that precede the messages of an answer; at most `limit`."""

    room_id: Name
    limit: Annotated[int, Meta(ge=1, le=MAX_HISTORY)] = 50
    before: Annotated[str, Meta(pattern="^[0-9]{1,18}-[0-9]{1,18}$")] = ""


class Sender(Struct, frozen=True):
    """The user that a message or a member is of, as its token states it; the names that clients give prove nothing.

    Attributes:
        id: The user's id.
        kind: `account`, `guest` or `service`.

    """

    id: str
    kind: str


class Message(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A message in its structured form; `room` is missing in a message to all clients.

    `user` is the name that the client gives. `sender` is missing in messages of backends and of clients without a token, and in
    those that a gateway of an earlier release has kept.
    """

    id: str
    room: str = ""
    user: str
    text: str
    at: datetime
    kind: Literal["message", "joined", "left", ""] = ""
    sender: Sender | None = None


class Kept(Struct, frozen=True):
    """A message as history keeps it; `own_id` is the same if its sender repeats the message."""

    own_id: str
    message: Message


class RoomHistory(Struct, frozen=True, omit_defaults=True):
    """The ack of `history`, oldest message first.

    Attributes:
        room: The room.
        messages: The messages.
        before: Present if there are earlier messages: the `before` with which `history` returns them.

    """

    room: str
    messages: Sequence[Message]
    before: str = ""


class RoomMember(Struct, frozen=True, omit_defaults=True):
    """A member of a room: the socket's id, the name that others see, the member's gateway, and its user."""

    id: str
    user: str
    gateway: str
    sender: Sender | None = None


class RoomSize(Struct, frozen=True):
    """A room and the number of its connected members on all gateways."""

    room: str
    members: int


class RoomPresence(Struct, frozen=True):
    """The ack of `presence`: the number of members, and the members up to the list's limit."""

    room: str
    count: int
    members: Sequence[RoomMember]


class PresenceChange(Struct, frozen=True, omit_defaults=True):
    """The event `presence`: a member joined a room, or the socket with this id left it."""

    room: str
    joined: RoomMember | None = None
    left: str | None = None


class Typing(Struct, frozen=True, omit_defaults=True):
    """The event `typing`: a member is typing."""

    room: str
    user: str
    sender: Sender | None = None


class RoomList(Struct, frozen=True):
    """The ack of `rooms`, the largest first."""

    rooms: Sequence[RoomSize]

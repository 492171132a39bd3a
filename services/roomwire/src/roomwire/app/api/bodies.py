"""The bodies of requests and answers, as the API documents them. Unknown fields are refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StrictBool,
    Tag,
)

from roomwire.errors import NestedTooDeeply
from roomwire.log.kept import HISTORY_ENTRIES, HISTORY_TTL_S
from roomwire.protocol.payloads import event_payload
from roomwire.protocol.values import is_plain

MAX_MESSAGES: Final = 100
MAX_ARGUMENTS: Final = 16
MAX_EXCEPT_ROOMS: Final = 16
MAX_ROOM_CHARS: Final = 64
MAX_NAMESPACE_CHARS: Final = 128
MAX_EVENT_CHARS: Final = 128
MAX_USER_CHARS: Final = 256
MAX_KEY_CHARS: Final = 256
MAX_ENTRIES: Final = 10_000
MAX_HISTORY_TTL_S: Final = 31 * 86_400
MAX_STANDING_S: Final = 10 * 366 * 86_400
POSITION: Final = r"^[0-9]{1,18}-[0-9]{1,18}$"
RESERVED_EVENTS: Final = (
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
)
"""Event names that clients interpret as events of their connection."""


def _check_event(value: str) -> str:
    if value in RESERVED_EVENTS:
        raise ValueError("this event is Socket.IO's own")
    return value


def _check_arguments(value: list[Any]) -> list[Any]:
    """Refuse values that JSON allows but no packet can hold, such as too deep ones."""
    try:
        event_payload(["", *value])
    except (TypeError, ValueError, OverflowError, NestedTooDeeply):
        raise ValueError("this value cannot be sent") from None
    return value


def _check_entry(value: object) -> object:
    """Refuse an entry that no reader of the history could hold."""
    try:
        is_plain(value)
    except NestedTooDeeply:
        raise ValueError("this value is nested too deeply to be stored") from None
    return value


def _check_number(value: object) -> object:
    """Refuse values that are not numbers in JSON, but could be read as such."""
    if isinstance(value, str | bool):
        raise ValueError("this is not a number")  # noqa: TRY004 - pydantic reports no other
    return value


Room = Annotated[
    str, Field(min_length=1, max_length=MAX_ROOM_CHARS, description="The room's name, as clients use it.")
]
Namespace = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAMESPACE_CHARS,
        pattern="^/",
        description="The Socket.IO namespace. Default: `/`.",
    ),
]
UserId = Annotated[
    str, Field(min_length=1, max_length=MAX_USER_CHARS, description="The claim `sub` of the user's tokens.")
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Said(_Request):
    """An event."""

    namespace: Namespace = "/"
    event: Annotated[
        str,
        AfterValidator(_check_event),
        Field(
            min_length=1,
            max_length=MAX_EVENT_CHARS,
            description="The event's name.",
            json_schema_extra={"not": {"enum": [*RESERVED_EVENTS]}},
        ),
    ]
    args: Annotated[
        list[Any],
        Field(max_length=MAX_ARGUMENTS, description="The event's arguments."),
        AfterValidator(_check_arguments),
    ] = []
    id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_KEY_CHARS,
            description="A message that is sent again with this id, by the same caller to the same target, is delivered once.",
        ),
    ] = ""


class Keeping(_Request):
    """What the room's history stores of an event, and for how long."""

    entry: Annotated[
        Any,
        AfterValidator(_check_entry),
        Field(description="The entry. Default: an object with `event`, `args` and `at`."),
    ] = None
    entries: Annotated[int, BeforeValidator(_check_number)] = Field(
        HISTORY_ENTRIES,
        ge=1,
        le=MAX_ENTRIES,
        description="The number of newest entries that the room keeps from now on.",
    )
    ttl_s: Annotated[int, BeforeValidator(_check_number)] = Field(
        HISTORY_TTL_S,
        ge=1,
        le=MAX_HISTORY_TTL_S,
        description="The number of seconds for which the room keeps them after this one.",
    )


class _Shared(_Said):
    """An event for the members of a room, or for all clients."""

    except_rooms: Annotated[
        list[Room],
        Field(
            max_length=MAX_EXCEPT_ROOMS,
            description="The members of these rooms do not receive the event, also when they recover later."
            " While a gateway of an earlier version is part of the deployment, such a message is refused as `unavailable`.",
        ),
    ] = []


class ToRoom(_Shared):
    """An event for a room: `publish` there."""

    room: Room
    keeps_history: StrictBool | Keeping = Field(
        default=False,
        description="Whether the room's history stores the event, or what of it and for how long. "
        "The event is published and stored, or neither.",
    )


class ToUser(_Said):
    """An event for all sockets of a user: `admin`."""

    user: UserId


class ToEveryone(_Shared):
    """An event for all connected clients: `broadcast`."""

    everyone: Literal[True]


def _target(value: object) -> str | None:
    """Return the kind of a message."""
    if isinstance(value, dict):
        return next((name for name in ("room", "user", "everyone") if name in value), None)
    return next((tag for kind, tag in _TAGS if isinstance(value, kind)), None)


_TAGS: Final = ((ToRoom, "room"), (ToUser, "user"), (ToEveryone, "everyone"))
Said = Annotated[
    Annotated[ToRoom, Tag("room")] | Annotated[ToUser, Tag("user")] | Annotated[ToEveryone, Tag("everyone")],
    Discriminator(_target),
]


class Publish(_Request):
    """Events, in the order of their delivery."""

    messages: Annotated[list[Said], Field(min_length=1, max_length=MAX_MESSAGES)]


class Disconnect(_Request):
    """The user to disconnect."""

    user: UserId
    namespace: Namespace = "/"


class Move(_Request):
    """The members to move, and the two rooms."""

    room: Room
    to: Room
    user: UserId = Field(
        "", description="Only this user's sockets are moved. Default: all members of the room."
    )
    namespace: Namespace = "/"


class Standing(_Request):
    """A user, and for how long something holds for it."""

    user: UserId
    for_s: Annotated[float, BeforeValidator(_check_number)] = Field(
        ge=0,
        le=MAX_STANDING_S,
        description="For how many seconds from now on, in place of what held before. `0` ends it.",
    )


class Published(BaseModel):
    """All messages are in the log."""

    published: int


class RoomAnswer(BaseModel):
    """A room and the number of its connected members, on all gateways."""

    room: str
    members: int


class RoomsAnswer(BaseModel):
    """Rooms, the largest first."""

    rooms: list[RoomAnswer]


class MemberAnswer(BaseModel):
    """A member of a room."""

    id: str = Field(description="The socket's id.")
    name: str = Field(
        description="The name that other members see. The client chooses it, so it proves nothing."
    )
    user: str = Field(description="The user's id. Empty for an anonymous client.")
    kind: str = Field(description="`account`, `guest`, `service` or `anonymous`.")
    gateway: str = Field(description="The gateway that holds the socket, or held it last.")
    connected: bool = Field(
        description="If false, the member is away and may recover its session until that expires."
    )


class PresenceAnswer(BaseModel):
    """The members of a room."""

    room: str
    total: int = Field(description="Number of members, which may exceed the length of `members`.")
    members: list[MemberAnswer]
    missing: list[str] = Field(description="Gateways that did not answer. Their members count as away.")


class SenderAnswer(BaseModel):
    """The user that a message is of, as its token stated it."""

    id: str
    kind: str


class MessageAnswer(BaseModel):
    """A message of a room's history."""

    position: str = Field(
        description="The message's position. Pass it as `after` to get the messages that follow."
    )
    id: str
    user: str = Field(description="The name that the client gave; it proves nothing.")
    text: str
    at: datetime
    sender: SenderAnswer | None = Field(
        None, description="Its user. Null in messages of backends and of clients without a token."
    )


class EntryAnswer(BaseModel):
    """An entry of a room's history, unless the application has a form of its own for messages."""

    position: str = Field(
        description="The message's position. Pass it as `after` to get the messages that follow."
    )
    entry: Any = Field(
        description="What the application kept: by default an object with `event`, `args` and `at`."
    )


class HistoryAnswer(BaseModel):
    """A part of a room's history, oldest message first."""

    room: str
    messages: Sequence[MessageAnswer | EntryAnswer]
    joined: bool = Field(
        description="Whether the message at `after` still exists, so that no message after it was discarded."
    )
    more: bool = Field(description="Whether more messages follow the last one.")

    def json_text(self) -> bytes:
        """Return the answer as JSON, with each stored entry as it is: pydantic writes no value of more than 255 levels."""
        return msgspec.json.encode(self, enc_hook=dict)


class Disconnected(BaseModel):
    """The outcome for the sockets of a user."""

    disconnected: int = Field(
        description="Number of sessions that were ended, including those of clients that were away."
    )
    failed: int
    missing: list[str] = Field(description="Gateways that did not answer: try again.")


class Moved(BaseModel):
    """The outcome for the members of a room."""

    moved: int
    refused: int = Field(
        description="Number of members that stay, because their own token does not allow the other room."
    )
    failed: int
    missing: list[str] = Field(description="Gateways that did not answer: try again.")


class StandingChanged(BaseModel):
    """The change holds on all gateways from now on, for sockets that connect and for those that are connected."""

    missing: list[str] = Field(
        description="Gateways that could not be told. They apply it to connected sockets within 20 seconds."
    )

"""What an emitter can ask for, whichever way it came, and the rules that hold for both ways. Pure.

Its neighbours `channels` and `entries` read the two formats.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from roomwire.app.nodejs.errors import Reason, Refused
from roomwire.protocol.values import decode

MAX_MESSAGE_BYTES: Final = 1_000_000
"""Maximum size of a message as it is in Redis."""
MAX_ROOMS: Final = 1_000
"""Maximum number of rooms that a message names, and of rooms that it excepts."""
_LARGEST_INT: Final = 2**63
_UNDEFINED: Final = 0
"""The type of MessagePack's extension for JavaScript's `undefined`, in older releases of notepack."""

Room = str | int


class Audience(msgspec.Struct, frozen=True):
    """The clients that a message is about.

    Attributes:
        namespace: Their namespace.
        rooms: The rooms that they are in, or their ids. Empty means all clients.
        except_rooms: The rooms that they are not in, or ids of other clients.

    """

    namespace: str
    rooms: tuple[Room, ...] = ()
    except_rooms: tuple[Room, ...] = ()


class Broadcast(msgspec.Struct, frozen=True):
    """An event for clients.

    Attributes:
        audience: The clients.
        event: The event's name.
        arguments: The event's arguments.
        is_volatile: Whether the event may be lost.

    """

    audience: Audience
    event: str
    arguments: tuple[object, ...]
    is_volatile: bool = False


class Join(msgspec.Struct, frozen=True):
    """The clients join other rooms."""

    audience: Audience
    others: tuple[Room, ...]


class Leave(msgspec.Struct, frozen=True):
    """The clients leave other rooms."""

    audience: Audience
    others: tuple[Room, ...]


class Disconnect(msgspec.Struct, frozen=True):
    """The clients are disconnected."""

    audience: Audience


class ServerSide(msgspec.Struct, frozen=True):
    """An event for the handlers of all gateways.

    Attributes:
        namespace: The namespace of the handlers.
        event: The event's name.
        arguments: The handlers' arguments.

    """

    namespace: str
    event: str
    arguments: tuple[object, ...]


Message = Broadcast | Join | Leave | Disconnect | ServerSide


def namespace_of(message: Message) -> str:
    """Return the namespace that a message is about."""
    return message.namespace if isinstance(message, ServerSide) else message.audience.namespace


class Options(msgspec.Struct, frozen=True):
    """The options of a message as Node's adapters send them. Flags other than `volatile` mean nothing here."""

    rooms: list[Any] = []
    except_: list[Any] = msgspec.field(default=[], name="except")
    flags: dict[str, Any] = {}

    def audience(self, namespace: str) -> Audience:
        """Return the clients; raise `Refused` if the rooms are no rooms."""
        return Audience(namespace, rooms_of(self.rooms), rooms_of(self.except_))


def broadcast(packet: object, options: Options, namespace: str) -> Broadcast:
    """Return the event of a packet of Node's, whose namespace was checked.

    Raises:
        Refused: It is another kind of packet, or asks for an ack, which nobody could receive.

    """
    read = converted(packet, _Packet)
    if read.type not in _EVENTS or read.id is not None:
        raise Refused(Reason.UNSUPPORTED)
    event, arguments = event_of(read.data)
    return Broadcast(
        options.audience(namespace), event, arguments, is_volatile=bool(options.flags.get("volatile"))
    )


def event_of(data: list[Any]) -> tuple[str, tuple[object, ...]]:
    """Return the name and the arguments of an event; raise `Refused` if it has no name."""
    if not data or not isinstance(data[0], str):
        raise Refused(Reason.MALFORMED)
    return data[0], tuple(data[1:])


def rooms_of(values: list[Any]) -> tuple[Room, ...]:
    """Return rooms; raise `Refused` for other values, or for too many."""
    if len(values) > MAX_ROOMS:
        raise Refused(Reason.TOO_LARGE)
    if not all(type(one) in (str, int) for one in values):
        raise Refused(Reason.MALFORMED)
    return tuple(values)


def text_of(raw: bytes) -> str:
    """Return a text, for example the name of a namespace; raise `Refused` if it is none."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Refused(Reason.MALFORMED) from None


def from_json(text: bytes) -> Any:
    """Return the value of a JSON text; raise `Refused` if it is none."""
    return _read(lambda: decode(text.decode()))


def from_msgpack(data: bytes) -> Any:
    """Return the value of a MessagePack; raise `Refused` if it is none."""
    return _read(lambda: _unpack(data))


def converted(value: object, kind: type[msgspec.Struct]) -> Any:
    """Return a decoded value as an object of a type; raise `Refused` if it has another shape."""
    try:
        return msgspec.convert(value, kind)
    except (msgspec.ValidationError, RecursionError):
        raise Refused(Reason.MALFORMED) from None


class _Packet(msgspec.Struct, frozen=True):
    """A packet of Socket.IO as Node's adapters send it."""

    type: int
    data: list[Any]
    id: int | None = None


_EVENTS: Final = frozenset({2, 5})
"""The types of packets for an event: without and with attachments, which adapters do not take out."""


def _read(parse: Callable[[], object]) -> Any:
    try:
        return _plain(parse())
    except Refused:
        raise
    except (ValueError, RecursionError):
        raise Refused(Reason.UNDECODABLE) from None


def _plain(value: object) -> object:
    """Return a decoded value, changed in place, as JavaScript would send it to clients: JSON's types and bytes."""
    # Loops instead of comprehensions, which cost Python 3.11 a further call for each level.
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise Refused(Reason.UNDECODABLE)
            value[key] = _plain(item)
        return value
    if isinstance(value, list):
        for at, item in enumerate(value):
            value[at] = _plain(item)
        return value
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if type(value) is int:
        return value if -_LARGEST_INT <= value < _LARGEST_INT else float(value)
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{value.microsecond // 1000:03d}Z"
    if isinstance(value, msgspec.msgpack.Ext):
        if value.code == _UNDEFINED and value.data == b"\0":
            return None
        raise Refused(Reason.UNSUPPORTED)
    return value


_unpack: Final = msgspec.msgpack.Decoder().decode

"""Names of the log's streams: one per room, per namespace and per socket. Pure.

A name is bytes and unambiguous: no two rooms, however they are called, share a stream, and a name can be read
back. A room's text may be any Python text, halves of surrogate pairs included, as JSON may hold them.
"""

import ast
from typing import Final, NamedTuple, NewType

Stream = NewType("Stream", bytes)
"""The encoded name of a stream. Compare and hash it as it is; read it with `parse_stream`."""

_ROOM: Final = b"r:"
_NAMESPACE: Final = b"n:"
_SID: Final = b"s:"


class Named(NamedTuple):
    """The meaning of a stream: a whole namespace, a room of it, or one socket."""

    namespace: str | None
    room: str | None
    sid: str | None


def room_stream(namespace: str, room: str) -> Stream:
    """Return the stream of a room of a namespace."""
    escaped = namespace.replace("%", "%25").replace(":", "%3A")
    return Stream(_ROOM + _encode(escaped) + b":" + _encode(room))


def namespace_stream(namespace: str) -> Stream:
    """Return the stream of messages to a whole namespace, or to several of its rooms at once."""
    return Stream(_NAMESPACE + _encode(namespace))


def sid_stream(sid: str) -> Stream:
    """Return the stream of messages to one socket. The owner's node receives it without a subscription."""
    return Stream(_SID + _encode(sid))


def is_sid_stream(stream: Stream) -> bool:
    """Return whether a stream belongs to one socket."""
    return stream.startswith(_SID)


def parse_stream(stream: Stream) -> Named:
    """Return the meaning of a stream.

    Raises:
        ValueError: The text is not the name of a stream.

    """
    kind, rest = stream[:2], stream[2:]
    if kind == _SID:
        return Named(None, None, _decode(rest))
    if kind == _NAMESPACE:
        return Named(_decode(rest), None, None)
    namespace, colon, room = rest.partition(b":")
    if kind != _ROOM or not colon:
        raise ValueError(f"{stream!r} is not the name of a stream")
    return Named(_decode(namespace).replace("%3A", ":").replace("%25", "%"), _decode(room), None)


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def room_name(room: object) -> str:
    """Return the text that represents a room, whatever its name is made of."""
    if isinstance(room, str) and not room.startswith("\0"):
        return room
    return f"\0{type(room).__name__} {room!r}"


def room_of(name: str) -> object:
    """Return the room that a text of `room_name` represents.

    Raises:
        ValueError: Only the room's own node knows the value that is its name.

    """
    if not name.startswith("\0"):
        return name
    try:
        return ast.literal_eval(name.partition(" ")[2])
    except SyntaxError:
        raise ValueError("the room's name is not a plain value") from None


def travelling_name(room: object) -> str:
    """Return a text that represents a room on other nodes as well; raises as `room_of`."""
    name = room_name(room)
    if room_of(name) != room:
        raise ValueError("the room's name is not a plain value")
    return name

"""The target of a message: the stream of a room, whatever its name is made of, or of a client. Pure."""

from roomwire.log.sessions import is_sid
from roomwire.log.streams import Stream, room_name, room_stream, sid_stream


def stream_of(namespace: str, room: object) -> Stream:
    """Return the stream of a room, whatever its name is made of."""
    return room_stream(namespace, room_name(room))


def stream_to(namespace: str, target: object) -> Stream:
    """Return the stream of a target: a client by its id, or a room."""
    if isinstance(target, str) and is_sid(target):
        return sid_stream(target)
    return stream_of(namespace, target)

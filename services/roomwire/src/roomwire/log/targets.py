"""The target of a message: the stream of a room, whatever its name is made of, or of a client, and a room's history. Pure."""

import json
from collections.abc import Collection
from datetime import UTC, datetime
from typing import cast

import msgspec

from roomwire.log.kept import Keep, Kept, Said, history_name
from roomwire.log.sessions import is_sid
from roomwire.log.streams import Stream, room_name, room_stream, sid_stream
from roomwire.protocol.payloads import arguments_of
from roomwire.protocol.values import encode, is_plain


def stream_of(namespace: str, room: object) -> Stream:
    """Return the stream of a room, whatever its name is made of."""
    return room_stream(namespace, room_name(room))


def stream_to(namespace: str, target: object) -> Stream:
    """Return the stream of a target: a client by its id, or a room."""
    if isinstance(target, str) and is_sid(target):
        return sid_stream(target)
    return stream_of(namespace, target)


def streams_to(namespace: str, targets: object) -> tuple[Stream, ...]:
    """Return the streams of a target, or of each in a list of them."""
    if isinstance(targets, str) or not hasattr(targets, "__len__"):
        return (stream_to(namespace, targets),)
    return tuple(stream_to(namespace, one) for one in cast("Collection[object]", targets))


def kept_of(keep: Keep, event: str, data: object, *, to: object, namespace: str, at: float) -> Kept:
    """Return the entry of an event for a history.

    Args:
        keep: The choice of the entry, the room and the limits.
        event: The event's name.
        data: The event's argument; a tuple for several.
        to: The room, or rooms, that the event is emitted to.
        namespace: The namespace.
        at: The time, in seconds since 1970.

    Raises:
        ValueError: Neither `keep` nor `to` names exactly one room, so that there is no history.
        NestedTooDeeply: The entry is nested more deeply than readers may be able to decode.

    """
    room = to if keep.room is None else keep.room
    if not isinstance(room, str) or is_sid(room):
        raise ValueError("a history belongs to one room: emit to one room, or name it with Keep(room=...)")
    entry = keep.entry
    if entry is msgspec.UNSET:
        # Its arguments were checked when the event was encoded.
        entry = Said(event, arguments_of(data), datetime.fromtimestamp(at, UTC))
    else:
        is_plain(entry)
    try:
        stored = msgspec.json.encode(entry)
    except UnicodeEncodeError:
        # Half a surrogate pair, as JavaScript cuts a text inside an emoji: clients receive it, but no reader of history could.
        stored = json.dumps(json.loads(encode(entry)), ensure_ascii=False).encode(errors="replace")
    return Kept(history_name(namespace, room), stored, keep.entries, keep.ttl_s)

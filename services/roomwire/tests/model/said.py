"""What is said, in the log's own terms: a message of the record as production carries it, and back.

The payload is the message's number; behind it the log writes the stamp at which it appended the message, for the record.
"""

from functools import cache

import msgspec

from model.record import NOBODY, Message
from roomwire.log import entries
from roomwire.log.sessions import Sid
from roomwire.log.streams import Stream, namespace_stream, room_stream, sid_stream

NAMESPACE = "/"


@cache
def stream_of(room: str) -> Stream:
    """Return the stream of a room: `N` is the namespace, `@7` the socket of session 7."""
    if room == "N":
        return namespace_stream(NAMESPACE)
    return sid_stream(room[1:]) if room[0] == "@" else room_stream(NAMESPACE, room)


@cache
def sid_of(pid: int) -> Sid:
    """Return the public id of a session."""
    return Sid(str(pid))


def target_of(message: Message) -> Stream:
    """Return the stream to which a message is published."""
    return stream_of(message.rooms[0] if len(message.rooms) == 1 else "N")


def blob_of(message: Message) -> bytes:
    """Return a message as it is stored, before it is stamped."""
    skipped = () if message.excluded == NOBODY else (sid_of(message.excluded),)
    rooms = tuple(stream_of(room) for room in message.rooms) if len(message.rooms) > 1 else ()
    excepted = tuple(stream_of(room) for room in message.except_rooms)
    return entries.encode_message(entries.Message(b"%d" % message.number, skipped, rooms, excepted))


def stamped(blob: bytes, stamp: int) -> entries.Message:
    """Return a stored message, with the stamp at which it is appended or pushed."""
    message = entries.decode_message(blob)
    return msgspec.structs.replace(message, payload=b"%s %d" % (message.payload, stamp))


def number_and_stamp(message: entries.Message) -> tuple[int, int]:
    """Return which message of the record it is, and when it was appended or pushed."""
    number, stamp = message.payload.split()
    return int(number), int(stamp)

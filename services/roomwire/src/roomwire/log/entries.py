"""Messages, and entries, which are messages with their position in the log. Pure.

The stored form is a version byte and MessagePack. Older readers skip elements that were added at its end. A change that they
could not read increases the version, and they then report the entry instead of skipping it.

An element that narrows the audience is such a change, because a reader that skipped it would deliver to a client that the message
leaves out. Only entries that have it are of the higher format; all others stay as they were. Gateways announce the highest format
that they read, and the log refuses an entry that a registered gateway does not read (`NotReadByAll`).
"""

from typing import Final

import msgspec

from roomwire.log.positions import Position
from roomwire.log.streams import Stream

FORMAT: Final = 1
"""The format of entries without `except_rooms`."""
NARROWED_FORMAT: Final = 2
"""The format of entries with `except_rooms`, and the highest that this version reads."""


class UnreadableEntry(ValueError):
    """The bytes are an entry of a newer format, or not an entry. The text is for the log, not for clients."""


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A message for a stream.

    Args:
        payload: The server's encoding of the packet and its attachments, opaque to the log.
        skip_sids: The sockets that do not receive it although they are members.
        rooms: In a namespace's stream, the rooms whose members receive it, once. If empty, the whole namespace receives it.
        except_rooms: The rooms whose members do not receive it. A client is judged by its rooms at the message's position.
        trace: The W3C trace context of a publish that is sampled: `traceparent`, then `tracestate` if there is one. Gateways
            without traces ignore it.

    """

    payload: bytes
    skip_sids: tuple[str, ...] = ()
    rooms: tuple[Stream, ...] = ()
    except_rooms: tuple[Stream, ...] = ()
    trace: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A message at its position in the log."""

    stream: Stream
    position: Position
    message: Message


class Push(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is pushed: encoded, with the epoch in which it was appended."""

    epoch: bytes
    position: Position
    stream: Stream
    blob: bytes


VOLATILE: Final = Position(0)
"""The position in the push of a message that is not appended. A gateway that does not know volatile messages ignores such a push,
as it is at or before the position that the gateway has reached."""

_VERSION: Final = bytes((FORMAT,))
_NARROWED_VERSION: Final = bytes((NARROWED_FORMAT,))
_VERSIONS: Final = (_VERSION, _NARROWED_VERSION)
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Return the stored form of a message."""
    if message.trace:
        return (_NARROWED_VERSION if message.except_rooms else _VERSION) + _encoder.encode(message)
    if message.except_rooms:
        narrowed = (message.payload, message.skip_sids, message.rooms, message.except_rooms)
        return _NARROWED_VERSION + _encoder.encode(narrowed)
    return _VERSION + _encoder.encode((message.payload, message.skip_sids, message.rooms))


def decode_message(blob: bytes) -> Message:
    """Return the message of a stored form.

    Raises:
        UnreadableEntry: A newer gateway wrote it in a form that this one does not know.

    """
    if not blob.startswith(_VERSIONS):
        raise UnreadableEntry(
            f"entry of format {blob[:1].hex() or 'none'}; this gateway knows {FORMAT} to {NARROWED_FORMAT}"
        )
    try:
        return _decoder.decode(blob[1:])
    except msgspec.MsgspecError as error:
        raise UnreadableEntry(str(error)) from error


def parse_push(stream: Stream, data: bytes) -> Push:
    """Return the entry of a push on a room's channel: `<epoch> <position> <blob>`.

    Raises:
        UnreadableEntry: The push is not of this form.

    """
    try:
        epoch, position, blob = data.split(b" ", 2)
        if not epoch.isascii():
            raise ValueError("not an epoch")
        return Push(epoch, Position(int(position)), stream, blob)
    except ValueError as error:
        raise UnreadableEntry("a message on a room's channel is not an entry") from error

"""What the log carries: messages, and entries, which are messages with their place. Pure.

The stored form is a version byte and MessagePack. Elements added at its end are skipped by older readers; a change
that they could not read raises the version, and they then say so instead of skipping the entry.
"""

from typing import Final

import msgspec

from roomwire.log.positions import Position
from roomwire.log.streams import Stream

FORMAT: Final = 1


class UnreadableEntry(ValueError):
    """An entry of a newer format, or none at all. The text is for the log, not for clients."""


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something said to a stream.

    Args:
        payload: What is sent, opaque to the log: the server's encoding of the packet and its attachments.
        skip_sids: The sockets that do not get it, though they are members.
        rooms: In a namespace's stream: only the members of these get it, once. Empty: all of the namespace.

    """

    payload: bytes
    skip_sids: tuple[str, ...] = ()
    rooms: tuple[Stream, ...] = ()


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A message at its place in the log."""

    stream: Stream
    position: Position
    message: Message


class Push(msgspec.Struct, frozen=True, gc=False):
    """An entry as it is pushed: still encoded, with the epoch it was appended in, as it is written there."""

    epoch: bytes
    position: Position
    stream: Stream
    blob: bytes


_VERSION: Final = bytes((FORMAT,))
_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Return the stored form of a message."""
    return _VERSION + _encoder.encode(message)


def decode_message(blob: bytes) -> Message:
    """Return the message of a stored form.

    Raises:
        UnreadableEntry: A newer gateway wrote it in a form that this one does not know.

    """
    if not blob.startswith(_VERSION):
        raise UnreadableEntry(f"entry of format {blob[:1].hex() or 'none'}, this gateway knows {FORMAT}")
    try:
        return _decoder.decode(blob[1:])
    except msgspec.MsgspecError as error:
        raise UnreadableEntry(str(error)) from error


def parse_push(stream: Stream, data: bytes) -> Push:
    """Return what came on a room's channel: `<epoch> <position> <blob>`.

    Raises:
        UnreadableEntry: It is no such thing.

    """
    try:
        epoch, position, blob = data.split(b" ", 2)
        if not epoch.isascii():
            raise ValueError("not an epoch")
        return Push(epoch, Position(int(position)), stream, blob)
    except ValueError as error:
        raise UnreadableEntry("what came on a room's channel is no entry") from error

"""Events in the form in which the log stores and delivers them. Pure, and without python-socketio, which an emitter does not need.

Its neighbour `codec` reads and writes packets.
Source: the Socket.IO protocol, version 5.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from roomwire.protocol.frames import binary_frame, text_frame
from roomwire.protocol.values import PLAIN, encode, is_plain, parted

_EVENT_HEAD: Final = b"42"
"""The beginning of the text of an event: Engine.IO's type for a message, then Socket.IO's type for an event."""
_BINARY_HEAD: Final = b"45%d-"
"""The beginning of the text of an event with this number of attachments."""
_BINARY_PAYLOAD: Final = b"\x01"
_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[bytes]).decode


def arguments_of(data: object) -> list[object]:
    """Return the arguments in python-socketio's `data`: none for None, several for a tuple, else one."""
    return [] if data is None else list(data) if isinstance(data, tuple) else [data]


def event_payload(data: list[object]) -> bytes:
    """Return an event as the log stores it, for `payload_frames`: its JSON, or its JSON and its attachments: hot."""
    for value in data:
        if type(value) not in PLAIN and not is_plain(value):
            # A placeholder's number is the position of its attachment.
            data, attachments = parted(data)
            if attachments:
                return _BINARY_PAYLOAD + _pack([encode(data), *attachments])
            break
    return encode(data)


def payload_frames(
    namespace: str, payload: bytes, offset: str | None = None, ack_id: int | None = None
) -> list[bytes]:
    """Return the frames of a stored event: hot.

    Args:
        namespace: The event's namespace.
        payload: The result of `event_payload`.
        offset: The last argument for a client that can recover. Default: none.
        ack_id: The id of the ack that the client is asked for. Default: no ack.

    Raises:
        ValueError: The payload is invalid; a newer gateway may be able to read it.

    """
    head = _EVENT_HEAD
    attachments: Sequence[bytes] = ()
    if payload.startswith(_BINARY_PAYLOAD):
        payload, *attachments = _unpack(memoryview(payload)[1:])
        head = _BINARY_HEAD % len(attachments)
    if not payload.startswith(b"["):
        raise ValueError("not an event in the log's format")
    if offset is not None:
        payload = b'%b,"%b"]' % (payload[:-1], offset.encode())
    if namespace != "/":
        head += namespace.encode() + b","
    if ack_id is not None:
        head += b"%d" % ack_id
    frame = text_frame(head + payload)
    return [frame, *map(binary_frame, attachments)] if attachments else [frame]


def skipped_sids(skip_sid: object) -> tuple[str, ...]:
    """Return the ids that `skip_sid` names; as in python-socketio, a value that is not an id skips no client."""
    named = skip_sid if isinstance(skip_sid, list) else [skip_sid]
    return tuple({sid for sid in named if isinstance(sid, str)})

"""The messages of `@socket.io/redis-streams-emitter`, as it appends them to a stream. Pure.

An entry has the fields `uid`, `nsp`, `type` (a number) and `data`: a JSON object, or, if that contains bytes, MessagePack in base64.
Source: the package, release 0.1, and `@socket.io/redis-streams-adapter`, release 0.3, whose servers append the same.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from roomwire.app.nodejs.errors import Reason, Refused
from roomwire.app.nodejs.messages import (
    Disconnect,
    Join,
    Leave,
    Message,
    Options,
    ServerSide,
    broadcast,
    converted,
    event_of,
    from_json,
    from_msgpack,
    rooms_of,
    text_of,
)

_BROADCAST: Final = 3
_JOIN: Final = 4
_LEAVE: Final = 5
_DISCONNECT: Final = 6
_SERVER_SIDE: Final = 9
_ADAPTERS_ONLY: Final = frozenset({1, 2, 7, 8, 10, 11, 12, 13})
"""The types of messages by which servers on Node find, ask and answer each other."""


def message_of(fields: Mapping[bytes, bytes]) -> Message | None:
    """Return what an entry asks for, or None for an entry that is meant for servers on Node alone.

    Raises:
        Refused: It is nothing that can be performed.

    """
    number = fields.get(b"type", b"")
    if not number.isdigit() or b"nsp" not in fields:
        raise Refused(Reason.MALFORMED)
    kind = int(number[:4])
    if kind in _ADAPTERS_ONLY:
        return None
    if kind not in {_BROADCAST, _JOIN, _LEAVE, _DISCONNECT, _SERVER_SIDE}:
        raise Refused(Reason.UNSUPPORTED)
    return _message(kind, text_of(fields[b"nsp"]), converted(_decoded(fields.get(b"data", b"")), _Data))


class _Data(msgspec.Struct, frozen=True):
    """The data of an entry; each type has some of them."""

    opts: Options | None = None
    packet: Any = None
    rooms: list[Any] = []
    requestId: str | None = None  # noqa: N815 - the packages' spelling


def _message(kind: int, namespace: str, data: _Data) -> Message:
    if data.requestId is not None:
        raise Refused(Reason.UNSUPPORTED)
    if kind == _SERVER_SIDE:
        if not isinstance(data.packet, list):
            raise Refused(Reason.MALFORMED)
        return ServerSide(namespace, *event_of(data.packet))
    if data.opts is None:
        raise Refused(Reason.MALFORMED)
    if kind == _BROADCAST:
        return broadcast(data.packet, data.opts, namespace)
    audience = data.opts.audience(namespace)
    if kind == _DISCONNECT:
        return Disconnect(audience)
    return (Join if kind == _JOIN else Leave)(audience, rooms_of(data.rooms))


def _decoded(data: bytes) -> object:
    if data.startswith(b"{"):
        return from_json(data)
    try:
        return from_msgpack(base64.b64decode(data, validate=True))
    except binascii.Error:
        raise Refused(Reason.UNDECODABLE) from None

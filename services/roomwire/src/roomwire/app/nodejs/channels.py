"""The messages of `@socket.io/redis-emitter`, as it publishes them. Pure.

An event is published on ``KEY#NAMESPACE#`` or ``KEY#NAMESPACE#ROOM#`` as ``[uid, packet, options]``, in MessagePack, or in JSON if the
emitter's option `parser` is JSON. Everything else is published on ``KEY-request#NAMESPACE#`` as a JSON object.
Source: the package, release 5.1. Servers with `@socket.io/redis-adapter` publish the same.
"""

from typing import Any, Final

import msgspec

from roomwire.app.nodejs.errors import Reason, Refused
from roomwire.app.nodejs.messages import (
    MAX_MESSAGE_BYTES,
    Broadcast,
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

_PARTS: Final = 3
_JOIN: Final = 2
_LEAVE: Final = 3
_DISCONNECT: Final = 4
_SERVER_SIDE: Final = 6
_ADAPTERS_ONLY: Final = frozenset({0, 1, 5, 7, 8, 9})
"""The types of requests whose senders wait for the answers of other servers on Node."""


class Channels:
    """The channels of one key, and what is published on them.

    Args:
        key: The emitters' option `key`.

    Attributes:
        patterns: What to subscribe to.

    """

    def __init__(self, key: str) -> None:
        self._events = f"{key}#".encode()
        self._requests = f"{key}-request#".encode()
        self.patterns = (self._events + b"*", self._requests + b"*")

    def message(self, channel: bytes, payload: bytes) -> Message | None:
        """Return what was published, or None for what is meant for servers on Node alone.

        Raises:
            Refused: It is nothing that can be performed.

        """
        if len(payload) > MAX_MESSAGE_BYTES:
            raise Refused(Reason.TOO_LARGE)
        if channel.startswith(self._requests):
            return _request(text_of(channel[len(self._requests) : -1]), payload)
        return self._event(channel, payload)

    def _event(self, channel: bytes, payload: bytes) -> Broadcast | None:
        value = from_json(payload) if payload.startswith(b"[") else from_msgpack(payload)
        if isinstance(value, dict):
            # Servers with the streams adapter ask each other here.
            return None
        if not isinstance(value, list) or len(value) < _PARTS:
            raise Refused(Reason.MALFORMED)
        _, packet, options = value[:_PARTS]
        namespace = converted(packet, _Addressed).nsp
        if not channel.startswith(b"%b%b#" % (self._events, namespace.encode(errors="replace"))):
            raise Refused(Reason.MALFORMED)
        return broadcast(packet, converted(options, Options), namespace)


class _Addressed(msgspec.Struct, frozen=True):
    """The namespace of a packet."""

    nsp: str = "/"


class _Request(msgspec.Struct, frozen=True):
    """A request. Those of `socket.io-emitter` name one socket, and a room, instead of `opts` and `rooms`."""

    type: int
    opts: Options | None = None
    rooms: list[Any] = []
    sid: str = ""
    room: Any = None
    data: list[Any] = []
    requestId: str | None = None  # noqa: N815 - the packages' spelling


def _request(namespace: str, payload: bytes) -> Message | None:
    if not payload.startswith(b"{"):
        raise Refused(Reason.UNSUPPORTED)
    asked = converted(from_json(payload), _Request)
    if asked.type in _ADAPTERS_ONLY:
        return None
    if asked.type == _SERVER_SIDE:
        if asked.requestId is not None:
            raise Refused(Reason.UNSUPPORTED)
        return ServerSide(namespace, *event_of(asked.data))
    if asked.type not in {_JOIN, _LEAVE, _DISCONNECT} or (asked.opts is None and not asked.sid):
        raise Refused(Reason.UNSUPPORTED)
    options = Options([asked.sid]) if asked.opts is None else asked.opts
    audience = options.audience(namespace)
    if asked.type == _DISCONNECT:
        return Disconnect(audience)
    others = rooms_of([asked.room] if asked.opts is None else asked.rooms)
    return (Join if asked.type == _JOIN else Leave)(audience, others)

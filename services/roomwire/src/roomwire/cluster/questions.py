"""The format of the nodes' questions about the clients in rooms, and of the answers. Pure."""

from collections.abc import Collection
from typing import Final, cast

import msgspec

from roomwire.cluster.errors import PeerRequestTooLarge
from roomwire.cluster.peers import PeerRequest
from roomwire.log.streams import travelling_name

ANSWER_S: Final = 2.0
"""The additional time for a node's answer, beyond its work."""
MAX_TIMEOUT_S: Final = 300.0
MAX_BODY_BYTES: Final = 1_000_000
UNFIT: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""The exceptions for a value that MessagePack cannot encode."""

encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.decode


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """A question to a node about rooms. Empty `rooms` mean all clients."""

    rooms: tuple[str, ...] = ()
    timeout_s: float = 0.0
    limit: int = 0
    other: str = ""
    event: bytes = b""


class Found(msgspec.Struct, frozen=True, array_like=True):
    """The clients of one node: their number, and those that fit."""

    total: int
    sockets: list[msgspec.Raw]


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """The acks of one node's clients: the number that was expected, that arrived and that did not fit, and the rest by client."""

    expected: int
    received: int
    dropped: int
    answers: dict[str, msgspec.Raw]


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """The number of clients of one node that were changed, and that were not."""

    done: int
    failed: int


class NodeEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event between nodes. With a time of 0, no caller waits for the handler's result."""

    event: str
    args: list[object]
    timeout_s: float


def request(what: str, namespace: str, asked: msgspec.Struct) -> PeerRequest:
    """Return an encoded question to other nodes.

    Raises:
        TooLarge: The question is larger than they accept.

    """
    payload = encode(asked)
    if len(payload) > MAX_BODY_BYTES:
        raise PeerRequestTooLarge(MAX_BODY_BYTES)
    return PeerRequest(what, namespace, "", payload=payload)


def checked(timeout_s: float) -> float:
    """Return the seconds that each node has for its work; raise ValueError if they are out of range."""
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s must be above 0 and at most {MAX_TIMEOUT_S:g}, not {timeout_s!r}")
    return timeout_s


def names(to: object) -> tuple[str, ...]:
    """Return the names of the targeted rooms. An empty result means all clients."""
    if to is None:
        return ()
    are_several = hasattr(to, "__len__") and not isinstance(to, str)
    rooms = cast("Collection[object]", to) if are_several else (to,)
    if not rooms:
        raise ValueError("no room is named: use None for all clients")
    return tuple(travelling_name(room) for room in rooms)

"""What nodes ask each other about the clients in rooms, and what they answer, as it goes from one to the other. Pure."""

from collections.abc import Collection
from typing import Final, cast

import msgspec

from roomwire.cluster.errors import PeerRequestTooLarge
from roomwire.cluster.peers import PeerRequest
from roomwire.log.streams import travelling_name

ANSWER_S: Final = 2.0
"""How much longer than its work the answer of a node may take."""
MAX_TIMEOUT_S: Final = 300.0
MAX_BODY_BYTES: Final = 1_000_000
UNFIT: Final = (TypeError, ValueError, OverflowError, RecursionError)
"""What is raised for a value that MessagePack cannot hold."""

encode: Final = msgspec.msgpack.Encoder().encode
decode: Final = msgspec.msgpack.decode


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """What is asked of a node about a room: `rooms` empty is everybody."""

    rooms: tuple[str, ...] = ()
    timeout_s: float = 0.0
    limit: int = 0
    other: str = ""
    event: bytes = b""


class Found(msgspec.Struct, frozen=True, array_like=True):
    """The clients of one node: how many there are, and those that fit."""

    total: int
    sockets: list[msgspec.Raw]


class Answered(msgspec.Struct, frozen=True, array_like=True):
    """The acknowledgements of one node's clients: how many were expected, came, and did not fit, and the rest by client."""

    expected: int
    received: int
    dropped: int
    answers: dict[str, msgspec.Raw]


class Counted(msgspec.Struct, frozen=True, array_like=True):
    """How many clients of one node were changed, and how many were not."""

    done: int
    failed: int


class NodeEvent(msgspec.Struct, frozen=True, array_like=True):
    """An event between nodes; with a time of 0 nobody waits for what its handler returns."""

    event: str
    args: list[object]
    timeout_s: float


def request(what: str, namespace: str, asked: msgspec.Struct) -> PeerRequest:
    """Return what other nodes are asked.

    Raises:
        TooLarge: They do not take so much.

    """
    payload = encode(asked)
    if len(payload) > MAX_BODY_BYTES:
        raise PeerRequestTooLarge(MAX_BODY_BYTES)
    return PeerRequest(what, namespace, "", payload=payload)


def checked(timeout_s: float) -> float:
    """Return the seconds that each node has for its work; raises ValueError if they are out of range."""
    if not 0 < timeout_s <= MAX_TIMEOUT_S:
        raise ValueError(f"timeout_s is more than 0 and at most {MAX_TIMEOUT_S:g}, not {timeout_s!r}")
    return timeout_s


def names(to: object) -> tuple[str, ...]:
    """Return the names of the rooms that are meant; empty: everybody."""
    if to is None:
        return ()
    are_several = hasattr(to, "__len__") and not isinstance(to, str)
    rooms = cast("Collection[object]", to) if are_several else (to,)
    if not rooms:
        raise ValueError("no room is named: None is everybody")
    return tuple(travelling_name(room) for room in rooms)

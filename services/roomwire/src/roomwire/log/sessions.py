"""Sessions of clients as the log stores them: one client in one namespace, from its first CONNECT until it can no longer be recovered. Pure.

A session outlives its transport, the Engine.IO session (`roomwire.engine.session`), and its gateway. Claim numbers decide
which socket holds it: each claim takes the next number, and sockets with an older number are refused and told so.
"""

import base64
import hashlib
import secrets
import zlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NewType

import msgspec

from roomwire.limits.classes import ClientClass
from roomwire.log.intervals import Intervals
from roomwire.log.positions import End, Epoch, Position
from roomwire.log.streams import Stream

Sid = NewType("Sid", str)
"""The public id of a session. Other clients may see it."""

Pid = NewType("Pid", str)
"""The private id of a session, whose holder can claim the session. It is never stored and never logged."""

NodeId = NewType("NodeId", str)
"""One incarnation of a gateway, `new_node_id`: its name, a dot, and a random suffix.

An id is never used twice, because the publishes of a second incarnation would count as repeats of the first one's.
"""

FORMAT: Final = 1
_ID_BYTES: Final = 15
_CHECK_BYTES: Final = 3
_SID_LENGTH: Final = 20
_NODE_BYTES: Final = 6


def new_node_id(name: str) -> NodeId:
    """Return the id of this incarnation of a gateway."""
    return NodeId(f"{name}.{secrets.token_hex(_NODE_BYTES)}")


def new_pid() -> Pid:
    """Return a new private id: 120 random bits in base64url."""
    return Pid(secrets.token_urlsafe(_ID_BYTES))


def sid_of(pid: Pid) -> Sid:
    """Return the public id of a private id. The conversion cannot be reversed."""
    digest = hashlib.sha256(pid.encode("utf-8", "surrogatepass")).digest()[: _ID_BYTES - _CHECK_BYTES]
    return Sid(base64.urlsafe_b64encode(digest + _check(digest)).decode("ascii"))


def is_sid(text: str) -> bool:
    """Return whether a text has the form of a public id, so that it names a client and not a room: hot.

    The last characters are a checksum: one in sixteen million other texts of that length has the form.
    """
    if len(text) != _SID_LENGTH:
        return False
    try:
        raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError:
        return False
    return raw[-_CHECK_BYTES:] == _check(raw[:-_CHECK_BYTES])


def _check(raw: bytes) -> bytes:
    return zlib.crc32(raw).to_bytes(4, "big")[-_CHECK_BYTES:]


class Tenure(msgspec.Struct, frozen=True, gc=False):
    """The right of one socket to a session, until another socket claims the session."""

    sid: Sid
    claim: int


class NewSession(msgspec.Struct, frozen=True):
    """The initial state of a session.

    Args:
        sid: Its public id, `sid_of` a new private id.
        namespace: Its namespace.
        subject: The subject of the token, which a claim must repeat. Empty if there is none.
        data: The data of `save_session`, encoded by the server.
        about: Constant data about the client for other nodes, encoded by the server. Redis stores a session in much less memory
            if they are not longer than 64 bytes.
        client_class: The class of clients whose share of the memory it uses.
        is_recoverable: Whether its client can claim it. If not, nothing of what is sent to it alone is stored.

    """

    sid: Sid
    namespace: str
    subject: str = ""
    data: bytes = b""
    about: bytes = b""
    client_class: ClientClass = ClientClass.SERVICES
    is_recoverable: bool = True


class Claimed(msgspec.Struct, frozen=True):
    """The state of a session when it was claimed.

    Attributes:
        tenure: The right to the session from now on.
        position: The claim's position in the log.
        start: The position at which the session began.
        born: The epoch in which it began.
        known: The position up to which the client has confirmed everything.
        data: The data that `save_session` stored last.
        rooms: The present and former rooms by their streams, with the intervals that can still matter.
        ends: How earlier epochs ended, as far as the log knows.

    """

    tenure: Tenure
    position: Position
    start: Position
    born: Epoch
    known: Position
    data: bytes
    rooms: Mapping[Stream, Intervals]
    ends: Mapping[Epoch, End]


class ClaimRefused(Enum):
    """The reason why a session cannot be claimed."""

    GONE = "gone"
    """The session does not exist, has another subject or namespace, or is not proved to have survived: open a new one."""

    DUEL = "duel"
    """The session was claimed too often recently, as by two tabs that hold it, and stays where it is: open a new one."""

    NOT_YET = "not yet"
    """An epoch began, and the session's owner may still confirm it: close the transport, so that the client tries again."""


class Attendee(msgspec.Struct, frozen=True):
    """A session in a room, whose client is connected or away.

    Attributes:
        sid: The session's id.
        node: The gateway that holds it, or held it last.
        subject: See `NewSession`.
        about: See `NewSession`. Empty if a gateway of an earlier version opened the session.
        data: The data that `save_session` stored last.

    """

    sid: Sid
    node: NodeId
    subject: str
    about: bytes
    data: bytes


class Attendance(msgspec.Struct, frozen=True):
    """The sessions in a room.

    Attributes:
        total: The number of sessions. Some that were not read may have just expired.
        attendees: The sessions that were read.

    """

    total: int
    attendees: Sequence[Attendee]


class SessionOwner(msgspec.Struct, frozen=True):
    """The location of a session.

    Attributes:
        node: The gateway that holds it, or held it last.
        namespace: Its namespace.
        subject: See `NewSession`.
        known: The position up to which the client has confirmed everything.

    """

    node: NodeId
    namespace: str
    subject: str
    known: Position

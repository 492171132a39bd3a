"""Sessions of clients as the log keeps them: one client in one namespace, from its first CONNECT until it is recovered no more. Pure.

A session outlives its transport, the Engine.IO session (`roomwire.engine.session`), and its gateway. Who speaks for it is settled by claim numbers: each claim takes
the next one, and whoever holds an older one is refused and told so.
"""

import base64
import hashlib
import secrets
import zlib
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Final, NewType

import msgspec

from roomwire.log.intervals import Intervals
from roomwire.log.positions import End, Epoch, Position
from roomwire.log.streams import Stream

Sid = NewType("Sid", str)
"""The public id of a session. Other clients may see it."""

Pid = NewType("Pid", str)
"""The private id of a session: who has it can claim it. It is never stored and never logged."""

NodeId = NewType("NodeId", str)
"""One incarnation of a gateway, `new_node_id`: its name, a dot, and something random.

Never used twice: a second incarnation's publishes would be taken for repeats of the first one's.
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
    """Return a fresh private id: 120 random bits in base64url."""
    return Pid(secrets.token_urlsafe(_ID_BYTES))


def sid_of(pid: Pid) -> Sid:
    """Return the public id that belongs to a private one; the way back is not known to anybody."""
    digest = hashlib.sha256(pid.encode("utf-8", "surrogatepass")).digest()[: _ID_BYTES - _CHECK_BYTES]
    return Sid(base64.urlsafe_b64encode(digest + _check(digest)).decode("ascii"))


def is_sid(text: str) -> bool:
    """Tell whether a text has the form of a public id, so that it is a client's and no room's name: hot.

    Its last characters are a checksum: of other texts of that length one in sixteen million has the form.
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
    """The right of one socket to speak for a session, until somebody claims it again."""

    sid: Sid
    claim: int


class NewSession(msgspec.Struct, frozen=True):
    """What a session begins with.

    Args:
        sid: Its public id, `sid_of` a fresh private one.
        namespace: The namespace it belongs to.
        subject: Who the token was issued to; a claim must name the same. Empty: nobody in particular.
        data: What `save_session` stores, encoded by the server.
        about: What else others may be told of its client, encoded by the server; it stays as it is. Redis keeps a session in
            much less memory if it is not longer than 64 bytes.

    """

    sid: Sid
    namespace: str
    subject: str = ""
    data: bytes = b""
    about: bytes = b""


class Claimed(msgspec.Struct, frozen=True):
    """A session that was claimed, as it was at that moment.

    Attributes:
        tenure: Speaks for it from now on.
        position: Where the claim stands in the log.
        start: Where the session began.
        born: The epoch in which it began.
        known: Up to here the client has proved to have everything.
        data: What `save_session` stored last.
        rooms: The rooms it is or was in, by their streams, with the intervals that can still matter.
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
    """Why a session cannot be claimed."""

    GONE = "gone"
    """No such session, another subject's or namespace's, or not shown to have survived: open a fresh one."""

    DUEL = "duel"
    """Claimed too often lately, as by two tabs that hold the same session: it stays where it is; open a fresh one."""

    NOT_YET = "not yet"
    """An epoch began, and its owner may still confirm it: close the transport, let the client try again."""


class Attendee(msgspec.Struct, frozen=True):
    """A session that is in a room, its client connected or away.

    Attributes:
        sid: Its id.
        node: The gateway that holds it, or held it last.
        subject: See `NewSession`.
        about: See `NewSession`; empty if a gateway of an earlier version opened it.
        data: What `save_session` stored last.

    """

    sid: Sid
    node: NodeId
    subject: str
    about: bytes
    data: bytes


class Attendance(msgspec.Struct, frozen=True):
    """Who is in a room.

    Attributes:
        total: How many sessions are; of those beyond the bounds of the read, some may have just expired.
        attendees: Those that were read.

    """

    total: int
    attendees: Sequence[Attendee]


class SessionOwner(msgspec.Struct, frozen=True):
    """Where a session lives."""

    node: NodeId
    namespace: str
    subject: str

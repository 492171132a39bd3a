"""What the scripts answer, as the contract's values. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from roomwire.log.intervals import parse_intervals
from roomwire.log.positions import End, Epoch, Position
from roomwire.log.sessions import (
    Attendance,
    Attendee,
    Claimed,
    ClaimRefused,
    NodeId,
    SessionOwner,
    Sid,
    Tenure,
)
from roomwire.log.streams import Stream

_REFUSED: dict[bytes, ClaimRefused] = {
    b"GONE": ClaimRefused.GONE,
    b"DUEL": ClaimRefused.DUEL,
    b"NOT_YET": ClaimRefused.NOT_YET,
}


def claim_reply(sid: Sid, reply: Any) -> Claimed | ClaimRefused:
    """Return what became of a claim."""
    if isinstance(reply, bytes):
        return _REFUSED[reply]
    position, claim, start, born, known, data, ends, rooms = reply
    return Claimed(
        tenure=Tenure(sid, claim),
        position=Position(position),
        start=Position(start),
        born=Epoch(born.decode()),
        known=Position(known),
        data=data,
        rooms={
            Stream(stream): parse_intervals(text.decode())
            for stream, text in zip(rooms[::2], rooms[1::2], strict=True)
        },
        ends={
            Epoch(epoch.decode()): End(Position(position), is_broken=is_broken == 1)
            for epoch, position, is_broken in zip(ends[::3], ends[1::3], ends[2::3], strict=True)
        },
    )


def owner_reply(found: Sequence[bytes | None]) -> SessionOwner | None:
    """Return where a session lives, from its node, namespace and subject."""
    parts = [part.decode("utf-8", "surrogatepass") for part in found if part is not None]
    if not parts:
        return None
    node, namespace, subject = parts
    return SessionOwner(NodeId(node), namespace, subject)


def attendance_reply(reply: Any) -> Attendance:
    """Return who is in a room."""
    total, flat = reply
    parts = (flat[offset::5] for offset in range(5))
    attendees = [
        Attendee(
            Sid(sid.decode()), NodeId(node.decode()), subject.decode("utf-8", "surrogatepass"), about, data
        )
        for sid, node, subject, about, data in zip(*parts, strict=True)
    ]
    return Attendance(total, attendees)


def nodes_reply(flat: Sequence[bytes]) -> Mapping[str, tuple[NodeId, str]]:
    """Return the live nodes: name → incarnation and address."""
    texts = [part.decode() for part in flat]
    return {
        name: (NodeId(node), address)
        for name, node, address in zip(texts[::3], texts[1::3], texts[2::3], strict=True)
    }

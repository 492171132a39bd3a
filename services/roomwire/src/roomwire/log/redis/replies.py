"""Translates the replies of scripts and commands into the contract's values: the one place that knows their shapes. Pure.

A link returns an answer as an object. This module assumes that it has the shape of its script, because the scripts are ours.
"""

from collections.abc import Mapping, Sequence
from typing import cast

from roomwire.limits.classes import ClientClass
from roomwire.log.entries import Entry, decode_message
from roomwire.log.guard import Counted, GuardReport
from roomwire.log.intervals import parse_intervals
from roomwire.log.positions import End, Epoch, Position
from roomwire.log.reading import ABSENT, Page
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


_Claimed = tuple[int, int, int, bytes, int, bytes, list[bytes | int], list[bytes]]


def claim_reply(sid: Sid, reply: object) -> Claimed | ClaimRefused:
    """Return the outcome of a claim."""
    if isinstance(reply, bytes):
        return _REFUSED[reply]
    position, claim, start, born, known, data, ends, rooms = cast("_Claimed", reply)
    epochs, positions = cast("list[bytes]", ends[::3]), cast("list[int]", ends[1::3])
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
            for epoch, position, is_broken in zip(epochs, positions, ends[2::3], strict=True)
        },
    )


def owner_reply(reply: object) -> SessionOwner | None:
    """Return the location of a session, from its node, namespace, subject and confirmed position."""
    found = cast("Sequence[bytes | None]", reply)
    parts = [part.decode("utf-8", "surrogatepass") for part in found if part is not None]
    if not parts:
        return None
    node, namespace, subject, known = parts
    return SessionOwner(NodeId(node), namespace, subject, Position(int(known)))


def attendance_reply(reply: object) -> Attendance:
    """Return the sessions in a room."""
    total, flat = cast("tuple[int, list[bytes]]", reply)
    parts = (flat[offset::5] for offset in range(5))
    attendees = [
        Attendee(
            Sid(sid.decode()), NodeId(node.decode()), subject.decode("utf-8", "surrogatepass"), about, data
        )
        for sid, node, subject, about, data in zip(*parts, strict=True)
    ]
    return Attendance(total, attendees)


def nodes_reply(reply: object) -> Mapping[str, tuple[NodeId, str]]:
    """Return the live nodes: name → incarnation and address."""
    texts = [part.decode() for part in cast("Sequence[bytes]", reply)]
    return {
        name: (NodeId(node), address)
        for name, node, address in zip(texts[::3], texts[1::3], texts[2::3], strict=True)
    }


def attach_reply(reply: object) -> tuple[bool, Epoch, Position]:
    """Return whether the primary has everything that this gateway knows, its epoch, and its last position."""
    is_whole, epoch, last = cast("tuple[int, bytes, int]", reply)
    return is_whole == 1, Epoch(epoch.decode()), Position(last)


def heartbeat_reply(reply: object) -> tuple[Position, Sequence[int]]:
    """Return the log's last position, and the numbers (from 1) of the sessions that other sockets hold."""
    last, fenced = cast("tuple[int, Sequence[int]]", reply)
    return Position(last), fenced


def recount_reply(reply: object) -> tuple[GuardReport, bool]:
    """Return the guard's figures, and whether more keys are due to be looked at."""
    flat = cast("Sequence[int]", reply)
    more, used, most, evicted, unkept, _, log_max, emptied, *held = flat
    # The error if it may not be measured.
    log_bytes: object = flat[5]
    counted = (Counted(*held[at : at + 4]) for at in range(0, len(held), 4))
    classes = dict(zip(ClientClass, counted, strict=True))
    measured = log_bytes if isinstance(log_bytes, int) else None
    return GuardReport(used, most, evicted, unkept, measured, log_max, emptied, classes), bool(more)


def membership_reply(reply: object) -> tuple[Position, Position]:
    """Return the log's last position, and that of a membership."""
    last, position = cast("tuple[int, int]", reply)
    return Position(last), Position(position)


def place_reply(reply: object, epoch: Epoch) -> Position | None:
    """Return the log's last position, from the fields `seq` and `epoch`; None if another epoch has begun."""
    last, found = cast("tuple[bytes, bytes]", reply)
    return Position(int(last)) if found == epoch.encode() else None


def pages_reply(reply: object) -> Sequence[Page]:
    """Return pages of streams."""
    return [_page(page) for page in cast("Sequence[_Page | None]", reply)]


def newest_reply(stream: Stream, reply: object) -> Sequence[Entry]:
    """Return entries of a stream, oldest first, from the newest first."""
    found = cast("Sequence[tuple[bytes, Sequence[bytes]]]", reply)
    return [
        Entry(stream, Position(int(entry_id.partition(b"-")[0])), decode_message(fields[1]))
        for entry_id, fields in reversed(found)
    ]


_Page = tuple[int, bool, list[int | bytes], int]


def _page(raw: _Page | None) -> Page:
    if raw is None:
        return ABSENT
    is_whole, has_more, flat, last = raw
    positions, blobs = cast("list[int]", flat[::2]), cast("list[bytes]", flat[1::2])
    entries = [(Position(position), blob) for position, blob in zip(positions, blobs, strict=True)]
    return Page(
        is_there=True, is_whole=is_whole == 1, entries=entries, has_more=bool(has_more), last=Position(last)
    )

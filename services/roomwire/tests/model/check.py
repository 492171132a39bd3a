"""Which guarantees a record breaks.

A client may miss what was said while it was told so: a new pid begins a new era. Within an era each message of
its rooms comes exactly once and in the log's order.
"""

from collections.abc import Iterator
from typing import NamedTuple

from model.record import Era, Message, Record

LOST = "lost"
DOUBLED = "doubled"
REORDERED = "reordered"
PHANTOM = "phantom"
HOLE = "hole"
UNTOLD = "untold"
STALE = "stale"
HOLLOW = "hollow"
DENIED = "denied"
SHUFFLED = "shuffled"
REFUSED = "refused"
STUCK = "stuck"
RESTLESS = "restless"

KINDS = {
    LOST: "a message that the log has never came, and the client was not told",
    DOUBLED: "a message came twice",
    REORDERED: "a message came after one that follows it in the log",
    PHANTOM: "a message came that was never said, or not to this client",
    HOLE: "a message is missing before one that came, and the client was told only later",
    UNTOLD: "Redis forgot an acknowledged message, and a client that may have missed it was not told",
    STALE: "an event that stays on one gateway came over another connection than it was emitted to",
    HOLLOW: "a publish was acknowledged that the log never had",
    DENIED: "the log has a publish of which it was said that it would never be there",
    SHUFFLED: "the log has a publisher's messages in another order than it published them in",
    REFUSED: "a client was refused although nothing stood in the way of its recovery",
    STUCK: "at the end a client is not connected, not in its rooms, or waits for an answer",
    RESTLESS: "long after the end something still goes on",
}


class Violation(NamedTuple):
    """A broken guarantee: its kind, the client, the message (-1 where there is none)."""

    kind: str
    client: int
    message: int


def violations(record: Record) -> list[Violation]:
    """Return every broken guarantee of a record."""
    found = [Violation(STUCK, -1, -1)] * record.stuck + [
        Violation(REFUSED, -1, -1)
    ] * record.unexcused_refusals
    found += [Violation(kind, -1, number) for kind, number in _appends(record)]
    for client, eras in enumerate(record.eras):
        found += [Violation(DOUBLED, client, number) for number in _doubled_over_eras(record, eras)]
        for era in eras:
            found += [Violation(kind, client, number) for kind, number in _deliveries(record, era)]
            if not era.is_shared:
                found += [
                    Violation(kind, client, number) for kind, number in _gaps(record, era, era is eras[-1])
                ]
    return found


def _appends(record: Record) -> Iterator[tuple[str, int]]:
    """Judge what the log has."""
    logged = [
        message
        for message in record.messages.values()
        if message.connection is None and not message.is_volatile
    ]
    for message in logged:
        # To a socket that nobody has any more there is nothing to append, and no need to tell.
        if message.is_acknowledged and not message.stamp and message.rooms[0][0] != "@":
            yield HOLLOW, message.number
        # Where it was said again, another try may have done it.
        if message.is_refused and message.turn and message.stamp:
            yield DENIED, message.number
    last: dict[str, int] = {}
    for message in sorted(
        (message for message in logged if message.turn), key=lambda message: message.turn or ()
    ):
        publisher = message.turn[0] if message.turn else ""
        if message.stamp and not message.lost_at:
            if message.stamp < last.get(publisher, 0):
                yield SHUFFLED, message.number
            last[publisher] = message.stamp


def _deliveries(record: Record, era: Era) -> Iterator[tuple[str, int]]:
    """Judge what came."""
    seen: set[int] = set()
    last = 0
    for number, stamp, connection in era.got:
        message = record.messages.get(number)
        if number in seen:
            yield DOUBLED, number
        seen.add(number)
        if message is None:
            yield PHANTOM, number
            continue
        if message.connection is not None:
            if message.connection is not connection:
                yield STALE, number
            continue
        if not era.is_shared and not _may_have(era, message, stamp):
            yield PHANTOM, number
        if message.is_volatile:
            # Its place among the others is not promised, and that it comes is not either.
            continue
        if stamp < last:
            yield REORDERED, number
        last = max(last, stamp)


def _doubled_over_eras(record: Record, eras: list[Era]) -> Iterator[int]:
    """Yield the volatile events that came in a later session again: no start of a session is behind which they lie."""
    seen: set[int] = set()
    for era in eras:
        got = {number for number, _, _ in era.got}
        yield from (number for number in seen & got if record.messages[number].is_volatile)
        seen |= got & record.messages.keys()


def _gaps(record: Record, era: Era, is_last: bool) -> Iterator[tuple[str, int]]:
    """Judge what did not come."""
    got = {number for number, _, _ in era.got}
    last = max((stamp for number, stamp, _ in era.got if _is_kept(record, number, stamp)), default=0)
    for number, message in record.messages.items():
        if number in got or not message.stamp or not _must_have(era, message):
            continue
        if message.lost_at:
            if is_last and message.is_witnessed:
                yield UNTOLD, number
        elif is_last:
            yield LOST, number
        elif message.stamp < last:
            yield HOLE, number


def _is_kept(record: Record, number: int, stamp: int) -> bool:
    """Whether what came at that stamp is in the log for good: only then can something be missing before it."""
    message = record.messages.get(number)
    return message is not None and message.stamp == stamp and not message.lost_at


def _may_have(era: Era, message: Message, stamp: int) -> bool:
    if message.excluded == era.sid:
        return False
    if any(stay.must_have(stamp) for room in message.except_rooms for stay in era.stays.get(room, ())):
        return False
    for room in message.rooms:
        if room in {"N", f"@{era.sid}"}:
            if stamp > era.start:
                return True
        elif any(stay.may_have(stamp) for stay in era.stays.get(room, ())):
            return True
    return False


def _must_have(era: Era, message: Message) -> bool:
    stamp = message.stamp
    if message.excluded == era.sid or not era.start < stamp <= era.end:
        return False
    if any(stay.may_have(stamp) for room in message.except_rooms for stay in era.stays.get(room, ())):
        return False
    for room in message.rooms:
        if room in {"N", f"@{era.sid}"}:
            return True
        if any(stay.must_have(stamp) for stay in era.stays.get(room, ())):
            return True
    return False

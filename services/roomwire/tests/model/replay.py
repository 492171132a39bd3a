"""What a client that comes back is owed: production's decisions, and for each rule of them how to leave it out.

Production's functions are pure, so a rule is left out by what they are given.
"""

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from model.said import NAMESPACE
from roomwire.log import replay
from roomwire.log.entries import Entry
from roomwire.log.intervals import Interval, is_member
from roomwire.log.positions import START, Epoch, Position, parse_offset
from roomwire.log.reading import Outcome, Range, Reading
from roomwire.log.sessions import Claimed
from roomwire.log.streams import Stream
from roomwire.recovery import decisions

LIMITS = decisions.RecoveryLimits()


def base_of(bugs: frozenset[str], offset: str | None, claimed: Claimed, epoch: Epoch) -> Position | None:
    """Return the position up to which the client has everything; None: it cannot be known."""
    parsed = None if offset is None else parse_offset(offset)
    if "start_ignored" in bugs and parsed is not None:
        claimed = msgspec.structs.replace(claimed, start=START)
    if "receipts_ignored" in bugs:
        claimed = msgspec.structs.replace(claimed, known=START)
    if "older_offset_counts" in bugs:
        claimed = msgspec.structs.replace(claimed, born=Epoch(""))
    if parsed is not None and parsed.epoch != epoch:
        if bugs & {"epoch_by_counter", "old_offset_refused"}:
            return None
        if "unknown_epoch_is_nothing" in bugs and parsed.epoch not in claimed.ends:
            offset = None
    return replay.base_of(offset, claimed, epoch)


def ranges_of(bugs: frozenset[str], claimed: Claimed, base: Position, upto: Position) -> Sequence[Range]:
    """Return what has to be read."""
    if "joined_ignored" in bugs:
        claimed = msgspec.structs.replace(
            claimed,
            rooms={
                stream: [Interval(START, intervals[-1].left)] for stream, intervals in claimed.rooms.items()
            },
        )
    return replay.ranges_of(claimed, NAMESPACE, base, upto)


def missed_entries(
    bugs: frozenset[str], readings: Sequence[Reading], claimed: Claimed
) -> Sequence[Entry] | decisions.Refusal:
    """Return what the client gets of what was read, in order; or why it cannot be told in full."""
    if "filter_by_present_rooms" in bugs:
        rooms = {stream: [Interval(START, None)] for stream, each in claimed.rooms.items() if is_member(each)}
        claimed = msgspec.structs.replace(claimed, rooms=rooms)
    if "exclusion_forgotten" in bugs:
        readings = [_without(reading, skip_sids=()) for reading in readings]
    if "excepted_rooms_forgotten" in bugs:
        readings = [_without(reading, except_rooms=()) for reading in readings]
    if "excepted_by_present_rooms" in bugs:
        present = {stream for stream, each in claimed.rooms.items() if is_member(each)}
        readings = [_left_out_by(reading, present) for reading in readings]
    found = decisions.missed_entries(readings, claimed, LIMITS)
    if "replayed_by_room" in bugs and not isinstance(found, decisions.Refusal):
        return sorted(found, key=lambda entry: entry.stream)
    return found


def _without(reading: Reading, **parts: tuple[Any, ...]) -> Reading:
    if reading.outcome is not Outcome.COMPLETE:
        return reading
    entries = [
        msgspec.structs.replace(entry, message=msgspec.structs.replace(entry.message, **parts))
        for entry in reading.entries
    ]
    return msgspec.structs.replace(reading, entries=entries)


def _left_out_by(reading: Reading, present: Collection[Stream]) -> Reading:
    if reading.outcome is not Outcome.COMPLETE:
        return reading
    entries = [
        entry for entry in reading.entries if not any(room in present for room in entry.message.except_rooms)
    ]
    return _without(msgspec.structs.replace(reading, entries=entries), except_rooms=())

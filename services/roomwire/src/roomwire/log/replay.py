"""Determines the messages that a returning client missed. Pure.

It determines where the replay begins, which ranges of which streams must be read, and which entries the client gets.
"""

from collections.abc import Iterable, Mapping, Sequence

from roomwire.log.entries import Entry
from roomwire.log.intervals import Intervals, clipped, holds
from roomwire.log.positions import START, Epoch, Position, parse_offset
from roomwire.log.reading import Range
from roomwire.log.sessions import Claimed
from roomwire.log.streams import Stream, namespace_stream, sid_stream


def base_of(offset: str | None, claimed: Claimed, epoch: Epoch) -> Position | None:
    """Return the position from which a client's replay starts, or None if it is unknown and the recovery must be refused.

    An offset of an epoch before the session's first belongs to an earlier session and is ignored. An offset of an epoch between
    that and the present counts if the epoch ended without loss, and not before the offset.

    Args:
        offset: The client's offset, if it sent one: that of the last event it received, or any text that came last.
        claimed: The client's session.
        epoch: The log's present epoch, in which the session was claimed.

    """
    held = START
    if offset is not None:
        parsed = parse_offset(offset)
        if parsed is None:
            return None
        if parsed.epoch == epoch:
            held = parsed.position
        elif parsed.epoch >= claimed.born:
            end = claimed.ends.get(parsed.epoch)
            if end is None or end.is_broken or parsed.position > end.position:
                return None
            held = parsed.position
    return max(held, claimed.start, claimed.known)


def ranges_of(claimed: Claimed, namespace: str, base: Position, upto: Position) -> Sequence[Range]:
    """Return the ranges to read for a replay of (base, upto]: the client's rooms, its namespace, and its own stream."""
    ranges = [
        Range(stream, first, last)
        for stream, intervals in claimed.rooms.items()
        for first, last in clipped(intervals, base, upto)
    ]
    if base < upto:
        ranges.append(Range(namespace_stream(namespace), base, upto))
        ranges.append(Range(sid_stream(claimed.tenure.sid), base, upto))
    return ranges


def is_for(entry: Entry, sid: str, rooms: Mapping[Stream, Intervals]) -> bool:
    """Return whether an entry of a client's streams is for it, by the times at which it was in each room."""
    message = entry.message
    if sid in message.skip_sids:
        return False
    own = sid_stream(sid)

    def is_in_any(streams: Iterable[Stream]) -> bool:
        return any(one == own or holds(rooms.get(one, ()), entry.position) for one in streams)

    if is_in_any(message.except_rooms):
        return False
    return not message.rooms or is_in_any(message.rooms)


def merged(readings: Iterable[Iterable[Entry]]) -> Sequence[Entry]:
    """Return entries of several streams in the order of the log, each once."""
    found = {entry.position: entry for entries in readings for entry in entries}
    return [found[position] for position in sorted(found)]

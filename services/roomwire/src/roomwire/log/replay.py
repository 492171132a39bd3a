"""What a client that comes back is owed. Pure.

Where its replay begins, which stretches of which streams have to be read, and what of them it gets.
"""

from collections.abc import Iterable, Mapping, Sequence

from roomwire.log.entries import Entry
from roomwire.log.intervals import Intervals, clipped, holds
from roomwire.log.positions import START, Epoch, Position, parse_offset
from roomwire.log.reading import Range
from roomwire.log.sessions import Claimed
from roomwire.log.streams import Stream, namespace_stream, sid_stream


def base_of(offset: str | None, claimed: Claimed, epoch: Epoch) -> Position | None:
    """Return the position from which a client has to be replayed to; None: refuse, it cannot be known.

    An offset of an epoch before the session's first is of an earlier session, and says nothing. One of an epoch between
    that and the present counts if the epoch ended without loss, and not before it.

    Args:
        offset: What the client sent, if anything: the offset of the last event it received, or whatever text came last.
        claimed: Its session.
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
    """Return what has to be read to replay (base, upto]: the client's rooms, its namespace, and itself."""
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
    """Tell whether an entry of a client's streams is for it, judged by when it was in which room."""
    message = entry.message
    if sid in message.skip_sids:
        return False
    if not message.rooms:
        return True
    own = sid_stream(sid)
    return any(room == own or holds(rooms.get(room, ()), entry.position) for room in message.rooms)


def merged(readings: Iterable[Iterable[Entry]]) -> Sequence[Entry]:
    """Return entries of several streams in the order of the log, each once."""
    found = {entry.position: entry for entries in readings for entry in entries}
    return [found[position] for position in sorted(found)]

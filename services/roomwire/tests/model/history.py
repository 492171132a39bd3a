"""Reading a room's history so that a gap shows.

A read is complete if the stream still holds an entry at or before its base, or was never trimmed. Pages overlap by one
entry, so that trimming between two pages shows as well. A stream that is absent says that nothing was said for longer
than anybody may have been away.
"""

from typing import Any

from model.log import Entry
from model.pipe import Process


def read(gateway: Any, room: str, base: int, end: int) -> Process:
    """Return the entries in (base, end], or None if they cannot be shown to be all."""
    bugs = gateway.bugs
    entries: list[Entry] = []
    first = base
    size = gateway.world.limits.page_entries + 1
    while first < end:
        reply = yield gateway.bulk.call("read", room, first)
        if reply is None:
            return entries if first == base else None
        page, is_anchored, is_untrimmed = reply
        overlaps = first == base or (page and page[0].position == first)
        is_whole = overlaps and (is_anchored or is_untrimmed)
        if not is_whole and "trimming_unnoticed" not in bugs:
            return None
        entries += [entry for entry in page if max(first, base) < entry.position <= end]
        if len(page) < size or page[-1].position >= end:
            return entries
        first = page[-1].position
    return entries


def hear_with_gaps(gateway: Any, room: str, entry: Entry) -> None:
    """Take a push as a design without markers would: each names the position before it in its room, and what lies
    between is fetched when it shows.
    """
    seen = gateway.seen.get(room, 0)
    if entry.position <= seen:
        return
    gateway.seen[room] = entry.position
    if seen and entry.previous > seen:
        gateway.runner.start(_fill(gateway, room, seen, entry))
    else:
        gateway.deliver(room, entry)


def _fill(gateway: Any, room: str, seen: int, entry: Entry) -> Process:
    entries = yield from read(gateway, room, seen, entry.position)
    for missed in entries or (entry,):
        gateway.deliver(room, missed)

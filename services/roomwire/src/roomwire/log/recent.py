"""The recent history of rooms, read once for all clients that need it at about the same time.

When a gateway dies, its clients return together and need the same rooms. A caller that arrives while a room is being read waits for
the next read, which covers all waiting callers. A result is cached briefly, and a later caller costs only a read of newer entries. If
a caller needs more than the cache holds, the whole room is read, so that no third read is necessary. Entries never change, so
the cache is never wrong; it only has a limit.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter
from typing import Final

import msgspec

from roomwire.errors import Unavailable
from roomwire.log.entries import Entry
from roomwire.log.positions import START, Position
from roomwire.log.reading import Outcome, Range, Reading
from roomwire.log.streams import Stream

KEPT_S: Final = 5.0
KEPT_BYTES: Final = 33_554_432

_position: Final = attrgetter("position")

WHOLE: Final = "whole"
REST: Final = "rest"

Fetch = Callable[[Range], Awaitable[Reading]]
"""Reads a range from the primary. Trimmed entries are acceptable; `Reading.since` states from where it is complete."""


class Stretch(msgspec.Struct):
    """A part of a stream of which everything in (since, upto] is known."""

    since: Position
    upto: Position
    entries: list[Entry]
    size: int

    def holds(self, wanted: Range) -> bool:
        """Return whether a range can be answered from this part."""
        return self.since <= wanted.after and wanted.upto <= self.upto

    def grow(self, reading: Reading) -> None:
        """Append the entries that follow."""
        self.entries.extend(reading.entries)
        self.size += size_of(reading.entries)
        self.upto = reading.range.upto

    def tell(self, wanted: Range, *, max_entries: int, max_bytes: int) -> Reading:
        """Return a range of this part."""
        first = bisect_right(self.entries, wanted.after, key=_position)
        last = bisect_right(self.entries, wanted.upto, key=_position)
        found = self.entries[first:last]
        if len(found) > max_entries or size_of(found) > max_bytes:
            return Reading(wanted, Outcome.TOO_MUCH, (), wanted.after)
        return Reading(wanted, Outcome.COMPLETE, found, wanted.after)


def size_of(entries: Sequence[Entry]) -> int:
    """Return the approximate size of entries in bytes."""
    return sum(len(entry.message.payload) for entry in entries)


class RecentReads:
    """Reads streams once for many callers.

    Args:
        fetch: Reads from the primary.
        count: Called for each such read with `WHOLE`, or with `REST` if it only reads newer entries.
        kept_bytes: Maximum size of the cached messages.

    """

    def __init__(self, fetch: Fetch, *, count: Callable[[str], None], kept_bytes: int = KEPT_BYTES) -> None:
        self._fetch = fetch
        self._count = count
        self._kept_bytes = kept_bytes
        self._kept: dict[Stream, Stretch] = {}
        self._waiting: dict[Stream, list[tuple[Range, asyncio.Future[Stretch | Reading]]]] = defaultdict(list)
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._generation = 0

    async def read(self, wanted: Range, *, max_entries: int, max_bytes: int) -> Reading:
        """Return the entries of a range.

        Raises:
            Unavailable: `forget` was called in the meantime.
            Exception: `fetch` raised it.

        """
        stretch = self._kept.get(wanted.stream)
        if stretch is None or not stretch.holds(wanted):
            found = await self._ask(wanted)
            if isinstance(found, Reading):
                return Reading(wanted, found.outcome, (), wanted.after)
            stretch = found
        if not stretch.holds(wanted):
            return Reading(wanted, Outcome.TRIMMED, (), wanted.after)
        return stretch.tell(wanted, max_entries=max_entries, max_bytes=max_bytes)

    def forget(self) -> None:
        """Drop the cache and fail all waiting callers, because positions may have another meaning on the next link."""
        self._generation += 1
        self._kept.clear()
        waiting, self._waiting = self._waiting, defaultdict(list)
        for _, future in (one for asking in waiting.values() for one in asking):
            if not future.done():
                future.set_exception(Unavailable())

    async def close(self) -> None:
        """End all reads. Idempotent."""
        self.forget()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask(self, wanted: Range) -> Stretch | Reading:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Stretch | Reading] = loop.create_future()
        self._waiting[wanted.stream].append((wanted, future))
        if wanted.stream not in self._tasks:
            self._tasks[wanted.stream] = loop.create_task(self._serve(wanted.stream))
        return await future

    async def _serve(self, stream: Stream) -> None:
        """Read for all waiting callers, until none waits."""
        try:
            while asking := self._waiting.pop(stream, None):
                first = min(wanted.after for wanted, _ in asking)
                last = max(wanted.upto for wanted, _ in asking)
                try:
                    found = await self._reach(Range(stream, first, last))
                except Exception as error:
                    for _, future in asking:
                        if not future.done():
                            future.set_exception(error)
                else:
                    for _, future in asking:
                        if not future.done():
                            future.set_result(found)
        finally:
            del self._tasks[stream]

    async def _reach(self, wanted: Range) -> Stretch | Reading:
        """Return a part that holds as much of a range as exists, or a failed reading."""
        stretch = self._kept.get(wanted.stream)
        if stretch is not None and stretch.since <= wanted.after:
            reading = await self._fetch_now(Range(wanted.stream, stretch.upto, wanted.upto), REST)
            if reading.outcome is Outcome.COMPLETE and reading.since == stretch.upto:
                if reading.range.upto > stretch.upto:
                    stretch.grow(reading)
                self._keep(wanted.stream, stretch)
                return stretch
        elif stretch is not None:
            reading = await self._fetch_now(wanted._replace(after=START), WHOLE)
            if reading.outcome is Outcome.COMPLETE:
                return self._begin(reading)
        reading = await self._fetch_now(wanted, WHOLE)
        return self._begin(reading) if reading.outcome is Outcome.COMPLETE else reading

    def _begin(self, reading: Reading) -> Stretch:
        stream, _, upto = reading.range
        entries = [entry for entry in reading.entries if entry.position > reading.since]
        stretch = Stretch(reading.since, upto, entries, size_of(entries))
        self._keep(stream, stretch)
        return stretch

    async def _fetch_now(self, wanted: Range, kind: str) -> Reading:
        generation = self._generation
        self._count(kind)
        reading = await self._fetch(wanted)
        if generation != self._generation:
            raise Unavailable
        return reading

    def _keep(self, stream: Stream, stretch: Stretch) -> None:
        """Cache a part as the newest, and as many others as fit."""
        self._kept.pop(stream, None)
        self._kept[stream] = stretch
        size = sum(one.size for one in self._kept.values())
        for oldest in list(self._kept):
            if size <= self._kept_bytes:
                break
            size -= self._kept.pop(oldest).size
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_S, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._kept.clear()

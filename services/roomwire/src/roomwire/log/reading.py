"""Reads a range of a stream page by page, and determines whether the range is complete. Pure.

A range is complete by the rules of the log if the stream still holds an entry at or before the point from which it is read, or
has never been trimmed. An absent stream proves that there were no entries, because streams outlive every client that could have
missed one. Each further page must begin with the last entry of the page before it, so that nothing was trimmed between them.
"""

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from roomwire.log.entries import Entry, UnreadableEntry, decode_message
from roomwire.log.positions import Position
from roomwire.log.streams import Stream


class Range(NamedTuple):
    """The positions (after, upto] of a stream."""

    stream: Stream
    after: Position
    upto: Position


class Outcome(Enum):
    """The outcome of a read."""

    COMPLETE = "complete"
    TRIMMED = "trimmed"
    """Entries before the first one may be missing."""
    TOO_MUCH = "too much"
    """There is more than the reader accepts."""
    UNREADABLE = "unreadable"
    """A newer gateway wrote some entries in a form that this one does not know."""


class Reading(msgspec.Struct, frozen=True):
    """The result of reading a range.

    Attributes:
        range: The requested range.
        outcome: Whether the range is complete.
        entries: The entries in order of their positions. Empty unless the outcome is `COMPLETE`.
        since: The position from which the result is complete: the range's beginning, or later with `takes_rest`.

    """

    range: Range
    outcome: Outcome
    entries: Sequence[Entry]
    since: Position


class Page(NamedTuple):
    """A page of a stream from the cursor on, inclusive, as the primary returned it in one step.

    Attributes:
        is_there: Whether the stream exists.
        is_whole: Whether it has never been trimmed, or still holds an entry at or before the cursor.
        entries: Positions and stored messages from the cursor on.
        has_more: Whether the page ended because it was full.
        last: The position of the last entry that the stream has had; None if it is not known.

    """

    is_there: bool
    is_whole: bool
    entries: Sequence[tuple[Position, bytes]]
    has_more: bool
    last: Position | None = None


ABSENT = Page(is_there=False, is_whole=True, entries=(), has_more=False)


class RangeReader:
    """Reads one range. While `is_open`, fetch a page from `cursor` on and `add` it; then call `result`.

    Args:
        wanted: The range.
        max_entries: Maximum number of entries.
        max_bytes: Maximum size of the stored messages.
        takes_rest: Whether trimmed entries are acceptable; `since` states from where the rest is complete.

    """

    def __init__(self, wanted: Range, *, max_entries: int, max_bytes: int, takes_rest: bool = False) -> None:
        self.cursor = wanted.after
        self._since = wanted.after
        self._takes_rest = takes_rest
        self._range = wanted
        self._left_entries = max_entries
        self._left_bytes = max_bytes
        self._is_first = True
        self._taken: list[tuple[Position, bytes]] = []
        self._outcome = Outcome.COMPLETE if wanted.after >= wanted.upto else None

    @property
    def range(self) -> Range:
        """The range that is read."""
        return self._range

    @property
    def is_open(self) -> bool:
        """Whether another page is needed."""
        return self._outcome is None

    def add(self, page: Page) -> None:
        """Add the page that begins at `cursor`."""
        if not page.is_there:
            # A stream that is absent at first has no entries. One that is absent later existed a moment ago and was lost.
            self._outcome = Outcome.COMPLETE if self._is_first else Outcome.TRIMMED
            return
        if self._takes_rest and self._is_first and not page.is_whole:
            # Entries before the first one that is left are unknown. After the last one of all there were none.
            self._since = page.entries[0][0] if page.entries else self._end_of(page)
            page = page._replace(is_whole=True)
        overlaps = bool(page.entries) and page.entries[0][0] == self.cursor
        if not page.is_whole or not (self._is_first or overlaps):
            self._outcome = Outcome.TRIMMED
            return
        before, self._is_first = self.cursor, False
        self._add(page)
        if self._outcome is not None:
            return
        if not page.has_more or self.cursor >= self._range.upto:
            self._outcome = Outcome.COMPLETE
        elif self.cursor == before:
            raise RuntimeError("a page with more to come must advance the cursor")

    def result(self) -> Reading:
        """Return the result.

        Raises:
            RuntimeError: The read has not ended.

        """
        if self._outcome is None:
            raise RuntimeError("the read has not ended")
        if self._outcome is not Outcome.COMPLETE:
            return Reading(self._range, self._outcome, (), self._since)
        stream = self._range.stream
        try:
            entries = [Entry(stream, position, decode_message(blob)) for position, blob in self._taken]
        except UnreadableEntry:
            return Reading(self._range, Outcome.UNREADABLE, (), self._since)
        return Reading(self._range, Outcome.COMPLETE, entries, self._since)

    def _end_of(self, page: Page) -> Position:
        return self._range.upto if page.last is None else min(page.last, self._range.upto)

    def _add(self, page: Page) -> None:
        for position, blob in page.entries:
            if not self.cursor < position <= self._range.upto:
                continue
            self._left_entries -= 1
            self._left_bytes -= len(blob)
            if self._left_entries < 0 or self._left_bytes < 0:
                self._outcome = Outcome.TOO_MUCH
                return
            self._taken.append((position, blob))
        if page.entries:
            self.cursor = max(self.cursor, page.entries[-1][0])

"""The intervals of positions in which a session was in a room. Pure.

An interval (joined, left] holds the positions after `joined` up to `left`; an open one has no end. A session
stores them as text: `<joined>-<left>` or `<joined>`, separated by commas, oldest first.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from roomwire.log.positions import Position


class Interval(NamedTuple):
    """An interval in a room; `left` is None while it lasts."""

    joined: Position
    left: Position | None

    def holds(self, position: Position) -> bool:
        """Return whether an entry at a position is for the member."""
        return self.joined < position and (self.left is None or position <= self.left)


Intervals = Sequence[Interval]


def parse_intervals(text: str) -> tuple[Interval, ...]:
    """Return the intervals of a session's text.

    Raises:
        ValueError: The text does not have this form.

    """
    return tuple(_parse(part) for part in text.split(",") if part)


def format_intervals(intervals: Intervals) -> str:
    """Return the text of intervals as a session stores it."""
    return ",".join(str(one.joined) if one.left is None else f"{one.joined}-{one.left}" for one in intervals)


def is_member(intervals: Intervals) -> bool:
    """Return whether the last interval is open."""
    return bool(intervals) and intervals[-1].left is None


def holds(intervals: Intervals, position: Position) -> bool:
    """Return whether a position is in one of the intervals."""
    return any(one.holds(position) for one in intervals)


def clipped(intervals: Intervals, after: Position, upto: Position) -> Iterator[tuple[Position, Position]]:
    """Yield the ranges to read for all entries of (after, upto] that are for the member."""
    for joined, left in intervals:
        first, last = max(after, joined), upto if left is None else min(upto, left)
        if first < last:
            yield first, last


def without(intervals: Intervals, known: Position) -> tuple[Interval, ...]:
    """Return the intervals that can still matter to a client that has everything up to `known`."""
    return tuple(one for one in intervals if one.left is None or one.left > known)


def _parse(part: str) -> Interval:
    joined, dash, left = part.partition("-")
    return Interval(Position(int(joined)), Position(int(left)) if dash else None)

"""When a session was in a room: intervals of positions. Pure.

An interval (joined, left] holds the positions after `joined` up to `left`; an open one has no end. As text, which
is how a session stores them: `<joined>-<left>` or `<joined>`, with commas, oldest first.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from roomwire.log.positions import Position


class Interval(NamedTuple):
    """A time in a room; `left` is None while it lasts."""

    joined: Position
    left: Position | None

    def holds(self, position: Position) -> bool:
        """Tell whether something said at a position was said to the member."""
        return self.joined < position and (self.left is None or position <= self.left)


Intervals = Sequence[Interval]


def parse_intervals(text: str) -> tuple[Interval, ...]:
    """Return the intervals of a session's text.

    Raises:
        ValueError: It is none.

    """
    return tuple(_parse(part) for part in text.split(",") if part)


def format_intervals(intervals: Intervals) -> str:
    """Return intervals as a session stores them."""
    return ",".join(str(one.joined) if one.left is None else f"{one.joined}-{one.left}" for one in intervals)


def is_member(intervals: Intervals) -> bool:
    """Tell whether the last interval is open."""
    return bool(intervals) and intervals[-1].left is None


def holds(intervals: Intervals, position: Position) -> bool:
    """Tell whether a position is in one of the intervals."""
    return any(one.holds(position) for one in intervals)


def clipped(intervals: Intervals, after: Position, upto: Position) -> Iterator[tuple[Position, Position]]:
    """Yield what has to be read to know all of (after, upto] that was said to the member."""
    for joined, left in intervals:
        first, last = max(after, joined), upto if left is None else min(upto, left)
        if first < last:
            yield first, last


def without(intervals: Intervals, known: Position) -> tuple[Interval, ...]:
    """Return the intervals that can still matter to somebody who has everything up to `known`."""
    return tuple(one for one in intervals if one.left is None or one.left > known)


def _parse(part: str) -> Interval:
    joined, dash, left = part.partition("-")
    return Interval(Position(int(joined)), Position(int(left)) if dash else None)

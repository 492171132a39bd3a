"""The order of messages: by their position in the log where it is known, and between two receivers.

Pure, and independent of faults; the oracle decides what an inversion means.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True, order=True)
class Place:
    """A position in the log of one epoch; positions of different epochs cannot be compared."""

    epoch: str
    position: int

    @classmethod
    def of(cls, offset: str) -> "Place | None":
        """Parse `<epoch>.<position>`; returns None for anything else, because it is not an offset."""
        epoch, dot, position = offset.rpartition(".")
        return cls(epoch, int(position)) if dot and position.isdecimal() else None


def first_of_each(ids: Iterable[T]) -> list[T]:
    """Return the ids in order, without repetitions."""
    return list(dict.fromkeys(ids))


def disorder_by_place(arrivals: Sequence[tuple[str, Place | None]]) -> list[str]:
    """Return the ids that arrived after an entry that follows them in the log."""
    highest: dict[str, int] = {}
    seen: set[str] = set()
    late = []
    for id_, place in arrivals:
        if place is None or id_ in seen:
            continue
        seen.add(id_)
        if place.position < highest.get(place.epoch, -1):
            late.append(id_)
        else:
            highest[place.epoch] = place.position
    return late


def disorder_between(ids: Sequence[T], reference: Sequence[T]) -> list[T]:
    """Return the common ids that arrived after an id that is later in the reference."""
    rank = {id_: number for number, id_ in enumerate(reference)}
    highest = -1
    late = []
    for id_ in ids:
        number = rank.get(id_)
        if number is None:
            continue
        if number < highest:
            late.append(id_)
        else:
            highest = number
    return late

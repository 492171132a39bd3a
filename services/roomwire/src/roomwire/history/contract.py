"""The contract of history: the newest entries of each room.

Every implementation guarantees:

- A room keeps its newest `HISTORY_ENTRIES` entries, in the order in which they were remembered, for `HISTORY_TTL_S`
  after the last one; an emit with other values (`roomwire.log.kept.Keep`) changes them from that emit on. A room keeps fewer, or
  for a shorter time, where they would be too large, where the histories of its class of clients exceed their share of the memory,
  and, if only guests are in it, once it has been empty for an hour (`roomwire.log.guard`).
- The log appends an emit's entry in the step that appends the message: an entry exists before any receiver of the message could
  read it, and never without the message.
- Every call ends within the history's timeout, with `Unavailable` if it failed.
"""

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

import msgspec

from roomwire.log.kept import HISTORY_ENTRIES, HISTORY_TTL_S, Said

__all__ = [
    "HISTORY_BYTES",
    "HISTORY_ENTRIES",
    "HISTORY_TTL_S",
    "History",
    "Recalled",
    "Remembered",
    "Said",
]

HISTORY_BYTES: Final = 1_000_000
"""The default limit on the entries of one answer, in bytes."""

T = TypeVar("T")


class Remembered(msgspec.Struct, frozen=True):
    """The position of an entry in a room's history: two numbers and a dash, which only increase."""

    position: str
    entry: bytes


class Recalled(msgspec.Struct, frozen=True):
    """A part of a room's history.

    Attributes:
        entries: The entries, oldest first.
        is_joined: Whether the entry after which the part begins still exists, so that none between them was discarded.
        has_more: Whether entries follow the last one.
        has_earlier: Whether entries precede the first one; False if the part begins after a position.

    """

    entries: Sequence[Remembered]
    is_joined: bool = False
    has_more: bool = False
    has_earlier: bool = False

    def values(self, kind: type[T]) -> list[T]:
        """Return the decoded entries, each of the type `Said` or of the type of `Keep.entry`.

        Raises:
            msgspec.ValidationError: An entry has another type.

        """
        decoder = msgspec.json.Decoder(kind)
        return [decoder.decode(one.entry) for one in self.entries]


class History(Protocol):
    """Stores the recent messages of rooms. Call `start` first and `close` last."""

    async def start(self) -> None:
        """Connect.

        Raises:
            Unavailable: The server does not answer; start again later.

        """

    async def close(self) -> None:
        """Disconnect. Idempotent."""

    async def check(self) -> None:
        """Check whether the history can be read at this moment.

        Raises:
            Unavailable: The server does not answer.

        """

    async def remember(self, room: str, entry: bytes, *, namespace: str = "/") -> None:
        """Append an entry to a room's history, without a message."""

    async def recall(
        self,
        room: str,
        *,
        limit: int = 50,
        after: str = "",
        before: str = "",
        max_bytes: int = HISTORY_BYTES,
        namespace: str = "/",
    ) -> Recalled:
        """Return the newest entries of a room's history or, with a position, the first ones after it, or the last ones before it.

        There are at most `limit` entries with at most `max_bytes` bytes altogether, but one entry is returned whatever its size.

        Raises:
            ValueError: Both `after` and `before` are given.

        """


def check_one_position(after: str, before: str) -> None:
    """Raise `ValueError` if a part of a history is asked for by two positions."""
    if after and before:
        raise ValueError("give `after` or `before`, not both")

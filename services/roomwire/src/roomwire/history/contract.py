"""The contract of history: the newest entries of each room.

Every implementation guarantees:

- A room keeps its newest `HISTORY_ENTRIES` entries, in the order in which they were remembered, for `HISTORY_TTL_S`
  after the last one; an emit with other values (`roomwire.log.kept.Keep`) changes them from that emit on.
- The log appends an emit's entry in the step that appends the message: an entry exists before any receiver of the message could
  read it, and never without the message.
- Every call ends within the history's timeout, with `Unavailable` if it failed.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from roomwire.log.kept import HISTORY_ENTRIES, HISTORY_TTL_S, Said

__all__ = ["HISTORY_ENTRIES", "HISTORY_TTL_S", "History", "Recalled", "Remembered", "Said"]

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

    """

    entries: Sequence[Remembered]
    is_joined: bool = False
    has_more: bool = False

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

    async def recall(self, room: str, *, limit: int = 50, after: str = "", namespace: str = "/") -> Recalled:
        """Return the newest entries of a room's history or, with a position, the first ones after it; at most `limit`."""

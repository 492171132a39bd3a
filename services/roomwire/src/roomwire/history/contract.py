"""The contract of history: the newest entries of each room.

Its guarantees, for every implementation:

- A room keeps its newest `HISTORY_ENTRIES` entries, in the order in which they were remembered, for `HISTORY_TTL_S`
  after the last one; an emit that says otherwise (`roomwire.log.kept.Keep`) counts from that emit on.
- What an emit keeps is appended by the log in the step that appends the message: an entry is here once whoever is told of the
  message could read it, and never without the message.
- Every call ends within the timeout that the history was given, with `Unavailable` if it could not be done.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from roomwire.log.kept import HISTORY_ENTRIES, HISTORY_TTL_S, Said

__all__ = ["HISTORY_ENTRIES", "HISTORY_TTL_S", "History", "Recalled", "Remembered", "Said"]

T = TypeVar("T")


class Remembered(msgspec.Struct, frozen=True):
    """An entry of a room's history and where it stands in it: two numbers and a dash, which only grow."""

    position: str
    entry: bytes


class Recalled(msgspec.Struct, frozen=True):
    """A stretch of a room's history.

    Attributes:
        entries: Oldest first.
        is_joined: Whether the entry after which it begins is still kept, so that none between them was dropped.
        has_more: Whether there are entries behind the last one.

    """

    entries: Sequence[Remembered]
    is_joined: bool = False
    has_more: bool = False

    def values(self, kind: type[T]) -> list[T]:
        """Return the entries, decoded: of a `Said`, or of what `Keep.entry` was.

        Raises:
            msgspec.ValidationError: An entry is of another type.

        """
        decoder = msgspec.json.Decoder(kind)
        return [decoder.decode(one.entry) for one in self.entries]


class History(Protocol):
    """Keeps what was said in rooms. Use: `start`, then anything, then `close`."""

    async def start(self) -> None:
        """Connect.

        Raises:
            Unavailable: Nobody answers; starting again later is right.

        """

    async def close(self) -> None:
        """Disconnect; idempotent."""

    async def check(self) -> None:
        """Ask whether the history can be read at this moment.

        Raises:
            Unavailable: It does not answer.

        """

    async def remember(self, room: str, entry: bytes, *, namespace: str = "/") -> None:
        """Append an entry to a room's history, without a message."""

    async def recall(self, room: str, *, limit: int = 50, after: str = "", namespace: str = "/") -> Recalled:
        """Return the newest entries of a room's history, or with a position the first behind it; at most `limit`."""

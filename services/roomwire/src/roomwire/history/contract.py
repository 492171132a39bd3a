"""The contract of history: the newest entries of each room, beside the log.

Its guarantees, for every implementation:

- A room keeps its newest `HISTORY_ENTRIES` entries, in the order in which they were remembered, for `HISTORY_TTL_S`
  after the last one.
- Every call ends within the timeout that the history was given, with `Unavailable` if it could not be done.

An application keeps history; `roomwire.server` and the ordered log (`roomwire.log.contract`) do not know it.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

HISTORY_ENTRIES: Final = 500
HISTORY_TTL_S: Final = 86_400


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

    async def remember(self, room: str, entry: bytes) -> None:
        """Append an entry to a room's history."""

    async def recall(self, room: str, *, limit: int = 50, after: str = "") -> Recalled:
        """Return the newest entries of a room's history, or with a position the first behind it; at most `limit`."""

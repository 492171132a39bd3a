"""The contract of a backplane.

Its guarantees, for every implementation:

- `log` carries what is said to the clients of all nodes, and their sessions: see `roomwire.log.contract`.
- History: the newest `HISTORY_ENTRIES` entries of a room, in the order in which they were remembered, for
  `HISTORY_TTL_S` after the last one.
- Every call ends within the timeout that the backplane was given, with `Unavailable` if it could not be done.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from roomwire.log.contract import Log

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


class Backplane(Protocol):
    """Connects the gateways. Use: `start`, then anything, then `close`."""

    @property
    def log(self) -> Log:
        """The ordered log; the server starts and closes it, as it is who listens to it."""

    async def start(self) -> None:
        """Connect what is beside the log.

        Raises:
            Unavailable: Nobody answers; starting again later is right.

        """

    async def close(self) -> None:
        """Disconnect; idempotent."""

    async def check(self) -> None:
        """Ask whether the backplane works at this moment.

        Raises:
            Unavailable: It does not answer, or the subscription is not live.

        """

    async def remember(self, room: str, entry: bytes) -> None:
        """Append an entry to a room's history."""

    async def recall(self, room: str, *, limit: int = 50, after: str = "") -> Recalled:
        """Return the newest entries of a room's history, or with a position the first behind it; at most `limit`."""

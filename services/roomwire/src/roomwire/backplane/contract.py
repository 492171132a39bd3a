"""The contract of a backplane.

Its guarantees, for every implementation:

- `log` carries what is said to the clients of all nodes, and their sessions: see `roomwire.backplane.log`.
- Presence: a member entered on a living node is seen by all; the members of a node that died disappear
  within `NODE_TTL_S` and a heartbeat of its last sign of life. Entering twice is entering once; leaving is idempotent.
- History: the newest `HISTORY_ENTRIES` entries of a room, in the order in which they were remembered, for
  `HISTORY_TTL_S` after the last one.
- Every call ends within the timeout that the backplane was given, with `Unavailable` if it could not be done.
"""

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from roomwire.backplane.log import Log

HISTORY_ENTRIES: Final = 500
HISTORY_TTL_S: Final = 86_400
NODE_HEARTBEAT_S: Final = 5.0
NODE_TTL_S: Final = 20.0


class Member(msgspec.Struct, frozen=True):
    """Somebody in a room: the socket's id, the name people see, the gateway it sits on."""

    id: str
    user: str
    gateway: str


class RoomSize(msgspec.Struct, frozen=True):
    """A room and the number of its members on all gateways."""

    room: str
    members: int


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
        """Take this node's members out of all rooms and disconnect; idempotent."""

    async def check(self) -> None:
        """Ask whether the backplane works at this moment.

        Raises:
            Unavailable: It does not answer, or the subscription is not live.

        """

    async def enter(self, room: str, member: Member) -> None:
        """Make somebody who is connected to this node a member of a room."""

    async def leave(self, room: str, sid: str) -> None:
        """End the membership of one of this node's sockets."""

    async def members(self, room: str, *, limit: int = 100) -> tuple[int, Sequence[Member]]:
        """Return how many members a room has, and at most `limit` of them, in no particular order."""

    async def rooms(self, *, limit: int = 100) -> Sequence[RoomSize]:
        """Return the rooms that have members, the largest first, at most `limit`."""

    async def remember(self, room: str, entry: bytes) -> None:
        """Append an entry to a room's history."""

    async def recall(self, room: str, *, limit: int = 50) -> Sequence[bytes]:
        """Return the newest entries of a room's history, at most `limit`, oldest first."""

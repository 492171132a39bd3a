"""The contract of the store of standings, and what it answers.

Its guarantees, for every implementation:

- `admit` counts and decides in one step: of two sockets that come at the same time and have one place, one is admitted.
- A socket counts from `admit` on until `part`, and for `SOCKET_TTL_S` after its last `refresh`, if its gateway died.
- A ban or mute ends by itself when its time is up.
- Every call ends within the timeout that the store was given, with `Unavailable` if it could not be done.
"""

from collections.abc import Collection, Mapping
from typing import Final, Protocol

import msgspec

SOCKET_TTL_S: Final = 60.0
"""How long a socket counts whose gateway says nothing more of it, in seconds."""


class Standing(msgspec.Struct, frozen=True):
    """For how many more seconds a user is banned, and muted; 0: it is not."""

    banned_s: float = 0.0
    muted_s: float = 0.0


class Admission(msgspec.Struct, frozen=True):
    """What became of a socket.

    Attributes:
        standing: The user's.
        is_admitted: Whether it counts now: its user is not banned, and had a place left.

    """

    standing: Standing
    is_admitted: bool


class StandingStore(Protocol):
    """Keeps the standings of users, for all gateways of a deployment."""

    async def close(self) -> None:
        """Disconnect; idempotent."""

    async def admit(self, user: str, sid: str, *, node: str, most: int) -> Admission:
        """Count a socket of a user, unless the user is banned or has as many others.

        Args:
            user: The user's id.
            sid: The socket's id; one that counts already is admitted again, and is this node's from then on.
            node: The node that it is on.
            most: Most sockets of a user. 0: any number, and this one is not counted.

        """

    async def part(self, user: str, sid: str, *, node: str) -> None:
        """Count a socket of a node no more; one that another node has admitted since is that one's."""

    async def refresh(
        self, held: Mapping[str, str], *, counted: Collection[str], node: str
    ) -> Mapping[str, Standing]:
        """Say that the sockets of a node are still there; returns the standings of their users.

        Args:
            held: User by socket.
            counted: Those of the sockets that count.
            node: The node that they are on.

        """

    async def ban(self, user: str, *, for_s: float) -> None:
        """Ban a user from now on, for so many seconds; 0 ends a ban."""

    async def mute(self, user: str, *, for_s: float) -> None:
        """Mute a user from now on, for so many seconds; 0 ends a mute."""

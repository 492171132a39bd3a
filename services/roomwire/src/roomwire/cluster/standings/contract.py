"""The contract of the store of standings, and its results.

Every implementation guarantees:

- `admit` counts and decides in one step: if two sockets arrive at the same time and one place is left, one of them is admitted.
- A socket counts from `admit` until `part` or, if its gateway died, until `SOCKET_TTL_S` after its last `refresh`.
- A ban or mute ends by itself when its time is up.
- Every call ends within the store's timeout, with `Unavailable` if it failed.
"""

from collections.abc import Collection, Mapping
from typing import Final, Protocol

import msgspec

SOCKET_TTL_S: Final = 60.0
"""How long a socket counts after its gateway's last report of it, in seconds."""


class Standing(msgspec.Struct, frozen=True):
    """The remaining seconds of a user's ban and mute; 0 means that there is none."""

    banned_s: float = 0.0
    muted_s: float = 0.0


class Admission(msgspec.Struct, frozen=True):
    """The result of `admit`.

    Attributes:
        standing: The user's standing.
        is_admitted: Whether the socket counts now: its user is not banned, and had a place left.

    """

    standing: Standing
    is_admitted: bool


class StandingStore(Protocol):
    """Keeps the standings of users, for all gateways of a deployment."""

    async def close(self) -> None:
        """Disconnect; idempotent."""

    async def admit(self, user: str, sid: str, *, node: str, most: int) -> Admission:
        """Count a socket of a user, unless the user is banned or has the maximum number of others.

        Args:
            user: The user's id.
            sid: The socket's id. A socket that already counts is admitted again, and belongs to this node from then on.
            node: The socket's node.
            most: Maximum number of sockets of a user. 0 disables the limit, and the socket is not counted.

        """

    async def part(self, user: str, sid: str, *, node: str) -> None:
        """Stop counting a socket of a node, unless another node has admitted it since."""

    async def refresh(
        self, held: Mapping[str, str], *, counted: Collection[str], node: str
    ) -> Mapping[str, Standing]:
        """Report that the sockets of a node are still connected, and return the standings of their users.

        Args:
            held: User by socket.
            counted: The sockets that count.
            node: The node of the sockets.

        """

    async def ban(self, user: str, *, for_s: float) -> None:
        """Ban a user from now on, for a number of seconds; 0 ends a ban."""

    async def mute(self, user: str, *, for_s: float) -> None:
        """Mute a user from now on, for a number of seconds; 0 ends a mute."""

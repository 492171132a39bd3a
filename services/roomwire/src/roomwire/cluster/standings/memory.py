"""The standings of one process: nothing outlives it."""

import time
from collections.abc import Callable, Collection, Mapping

from roomwire.cluster.standings.contract import SOCKET_TTL_S, Admission, Standing


class MemoryStandings:
    """Implements `StandingStore` in one process.

    Args:
        clock: Monotonic seconds.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sockets: dict[str, dict[str, tuple[float, str]]] = {}
        self._banned: dict[str, float] = {}
        self._muted: dict[str, float] = {}

    async def close(self) -> None:
        """See `StandingStore`; there is nothing to disconnect."""

    async def admit(self, user: str, sid: str, *, node: str, most: int) -> Admission:
        """See `StandingStore`."""
        standing = self._standing(user)
        if standing.banned_s or not most:
            return Admission(standing, is_admitted=not standing.banned_s)
        now = self._clock()
        sockets = {one: held for one, held in self._sockets.get(user, {}).items() if held[0] > now}
        is_admitted = sid in sockets or len(sockets) < most
        if is_admitted:
            sockets[sid] = (now + SOCKET_TTL_S, node)
        self._sockets[user] = sockets
        return Admission(standing, is_admitted=is_admitted)

    async def part(self, user: str, sid: str, *, node: str) -> None:
        """See `StandingStore`."""
        sockets = self._sockets.get(user, {})
        if sid in sockets and sockets[sid][1] == node:
            del sockets[sid]
        if not sockets:
            self._sockets.pop(user, None)

    async def refresh(
        self, held: Mapping[str, str], *, counted: Collection[str], node: str
    ) -> Mapping[str, Standing]:
        """See `StandingStore`."""
        ends_at = self._clock() + SOCKET_TTL_S
        for sid in counted:
            self._sockets.setdefault(held[sid], {})[sid] = (ends_at, node)
        return {user: self._standing(user) for user in held.values()}

    async def ban(self, user: str, *, for_s: float) -> None:
        """See `StandingStore`."""
        self._banned[user] = self._clock() + for_s

    async def mute(self, user: str, *, for_s: float) -> None:
        """See `StandingStore`."""
        self._muted[user] = self._clock() + for_s

    def _standing(self, user: str) -> Standing:
        return Standing(self._left(self._banned, user), self._left(self._muted, user))

    def _left(self, ends: dict[str, float], user: str) -> float:
        left = ends.get(user, 0.0) - self._clock()
        if left <= 0:
            ends.pop(user, None)
            return 0.0
        return left

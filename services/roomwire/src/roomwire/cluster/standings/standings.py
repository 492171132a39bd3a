"""The standings of the users that are connected to this node: the number of their sockets, their bans, and their mutes.

The store decides once about each new socket. While this node holds sockets, it reports them to the store every `REFRESH_S` and applies
the standings that the store returns. A ban or mute that this node was not told of therefore takes effect by then.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from roomwire.cluster.standings.contract import SOCKET_TTL_S, Standing, StandingStore
from roomwire.errors import Forbidden, RateLimited, Unavailable
from roomwire.logs import get_logger

REFRESH_S: Final = SOCKET_TTL_S / 3

_log = get_logger(__name__)


class Banned(Forbidden):
    """The user is banned."""

    default_message = "You are banned for the time being."


class Muted(Forbidden):
    """The user is muted."""

    default_message = "You are muted for the time being."


class TooManySockets(RateLimited):
    """The user has the maximum number of sockets over all gateways."""

    default_message = "This user has too many connections: close one and try again."


class Standings:
    """Knows the standings of the users whose sockets are here.

    Args:
        store: The standings of all users.
        node: This node.
        begin: Starts a task.
        send_away: Disconnects all sockets of a user at this node.
        clock: Monotonic seconds.

    """

    def __init__(
        self,
        store: StandingStore,
        *,
        node: str,
        begin: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[Any] | None"],
        send_away: Callable[[str, Forbidden], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._node = node
        self._begin = begin
        self._send_away = send_away
        self._clock = clock
        self._held: dict[str, str] = {}
        self._counted: set[str] = set()
        self._muted: dict[str, float] = {}
        self._refreshing: asyncio.Task[Any] | None = None

    async def admit(self, user: str, sid: str, *, most: int) -> None:
        """Count a socket.

        Args:
            user: The user's id.
            sid: The socket's id.
            most: Maximum number of sockets of a user over all gateways. 0 disables the limit.

        Raises:
            Banned, TooManySockets: The socket is refused.
            Unavailable: The store does not answer.

        """
        admission = await self._store.admit(user, sid, node=self._node, most=most)
        if admission.standing.banned_s:
            raise Banned
        if not admission.is_admitted:
            raise TooManySockets
        self._held[sid] = user
        if most:
            self._counted.add(sid)
        self._note(user, admission.standing)
        if self._refreshing is None:
            self._refreshing = self._begin(self._refresh())

    async def part(self, sid: str) -> None:
        """Stop counting a socket; nothing happens if it did not count."""
        user = self._held.pop(sid, None)
        if user is None:
            return
        if not self._held and self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None
        if user not in self._held.values():
            self._muted.pop(user, None)
        if sid not in self._counted:
            return
        self._counted.discard(sid)
        try:
            await self._store.part(user, sid, node=self._node)
        except Unavailable as error:
            # The socket stops counting by itself.
            _log.info("socket counts for longer", sid=sid, error=error.message)

    def require_voice(self, user: str) -> None:
        """Raise `Muted` for a user that is muted."""
        if self._muted.get(user, 0.0) > self._clock():
            raise Muted

    async def ban(self, user: str, *, for_s: float) -> None:
        """Ban a user, and disconnect the user's sockets at this node; raises `Unavailable`."""
        await self._store.ban(user, for_s=for_s)
        self.note_ban(user, for_s)

    async def mute(self, user: str, *, for_s: float) -> None:
        """Mute a user; raises `Unavailable`."""
        await self._store.mute(user, for_s=for_s)
        self.note_mute(user, for_s)

    def note_ban(self, user: str, for_s: float) -> None:
        """Apply a ban that another node announces; 0 ends it."""
        if for_s > 0:
            self._send_away(user, Banned())

    def note_mute(self, user: str, for_s: float) -> None:
        """Apply a mute that another node announces; 0 ends it."""
        if user in self._held.values():
            self._note(user, Standing(muted_s=for_s))

    def leave_loop(self) -> None:
        """Forget the state of an event loop that has ended."""
        self._held.clear()
        self._counted.clear()
        self._refreshing = None

    def _note(self, user: str, standing: Standing) -> None:
        if standing.muted_s > 0:
            self._muted[user] = self._clock() + standing.muted_s
        else:
            self._muted.pop(user, None)
        if standing.banned_s > 0:
            self._send_away(user, Banned())

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(REFRESH_S)
            try:
                standings = await self._store.refresh(
                    dict(self._held), counted={*self._counted}, node=self._node
                )
            except Unavailable as error:
                _log.warning("standings not refreshed", error=error.message)
                continue
            for user, standing in standings.items():
                self._note(user, standing)

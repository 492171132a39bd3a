"""The part of a gateway that limits the sockets of its users over the whole deployment, and bans and mutes users."""

from collections.abc import Sequence
from typing import Final

from roomwire.cluster.standings.standings import Standings
from roomwire.errors import ConfigurationError
from roomwire.gateways.chain import Call
from roomwire.log.sessions import NodeId
from roomwire.logs import get_logger
from roomwire.server import Server
from roomwire.server.patterns import NamespacePattern

_EVENT: Final = "roomwire.standing"

_audit = get_logger("gateway.moderation.audit")


def has_voice(call: Call) -> bool:
    """Allow a call unless its user is muted: the guard of each event of a moderated gateway.

    Raises:
        Muted: The user is muted.

    """
    call.socket.require_voice()
    return True


class Moderation:
    """The part of `Gateway` that uses the standings of users.

    Attributes:
        max_connections_per_user: Maximum number of sockets of a user on all nodes. 0 disables the limit.
        is_moderated: Whether users can be banned and muted here.
        server: The server that the gateway is registered with.
        namespace: The namespace that it serves.
        pattern: The pattern whose namespaces it serves; None if it serves one.

    """

    max_connections_per_user: int = 0
    is_moderated: bool = False
    server: Server
    namespace: str
    pattern: NamespacePattern | None = None

    @property
    def asks_standings(self) -> bool:
        """Whether it reads the standing of each user that connects."""
        return self.is_moderated or self.max_connections_per_user > 0

    def standings(self) -> Standings:
        """Return the standings of the users here.

        Raises:
            ConfigurationError: The gateway does not use standings, or the server has none.

        """
        if not self.asks_standings or self.server.standings is None:
            raise ConfigurationError(
                f"{type(self).__name__} does not use the standings of users: "
                "declare it moderated, and create its server with standings=open_standings(...)"
            )
        return self.server.standings

    async def ban(self, user_id: str, *, for_s: float, by: str = "") -> Sequence[NodeId]:
        """Refuse the connections of a user to the moderated gateways of all nodes for some time, and disconnect its sockets.

        Args:
            user_id: The claim `sub` of the user's tokens. Clients without a token cannot be banned.
            for_s: The duration from now on, in seconds. 0 ends a ban.
            by: The person or program that decides, for the audit.

        Returns:
            The nodes that could not be told. Those with a socket of the user learn of the ban within 20 seconds.

        Raises:
            Unavailable: The ban may not be in force on all nodes; try again.

        """
        await self.standings().ban(user_id, for_s=for_s)
        return await self._tell_of_standing("ban", user_id, for_s, by)

    async def mute(self, user_id: str, *, for_s: float, by: str = "") -> Sequence[NodeId]:
        """Refuse the events of a user in the moderated gateways of all nodes for some time. Arguments and result are those of `ban`.

        Events whose handler has `requires_voice=False` are not refused, and a muted user still receives events.
        """
        await self.standings().mute(user_id, for_s=for_s)
        return await self._tell_of_standing("mute", user_id, for_s, by)

    def hear_of_standings(self) -> None:
        """Apply the changes of standings that other nodes announce from now on."""
        self.server.on_server_side(_EVENT, self._take_standing, namespace=self._told_in)

    async def _tell_of_standing(self, what: str, user_id: str, for_s: float, by: str) -> Sequence[NodeId]:
        # The audit comes first, because the standing has changed even if a node cannot be told.
        _audit.info("standing changed", audit=True, caller=by, operation=what, user=user_id, for_s=for_s)
        told = await self.server.server_side_emit(_EVENT, what, user_id, for_s, namespace=self._told_in)
        return told.missing

    @property
    def _told_in(self) -> str:
        """The name under which the gateways of other nodes hear of standings, which they hold for all namespaces of a pattern."""
        return self.namespace if self.pattern is None else self.pattern.text

    def _take_standing(self, what: str, user_id: str, for_s: float) -> None:
        note = self.standings().note_ban if what == "ban" else self.standings().note_mute
        note(user_id, for_s)

"""The connected clients: finds them, extends them by new tokens, and disconnects them."""

from collections.abc import Callable, Coroutine
from functools import partial
from typing import Final

from roomwire.errors import ClientError, Forbidden
from roomwire.identity.errors import TokenExpired
from roomwire.identity.tokens import User
from roomwire.logs import get_logger
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member, Phase, members_of
from roomwire.rooms.order import Order
from roomwire.server.replies import Replies
from roomwire.server.stock import Stock

_LONGEST_WATCH_S: Final = 60.0
"""The maximum interval between checks of an alarm; it may outlive its client for so long."""

_log = get_logger(__name__)


class Clients:
    """The clients of this node.

    Args:
        server: The server to which they are connected.
        rooms: The rooms and their members.
        replies: Reports errors to clients.
        order: Keeps what bypasses the log behind what was published, unless a client is sent away.
        begin: Starts a task.
        wall_clock: Seconds since 1970, for the expiry of tokens.

    """

    def __init__(
        self,
        server: Stock,
        *,
        rooms: Rooms,
        replies: Replies,
        order: Order,
        begin: Callable[[Coroutine[object, object, object]], object],
        wall_clock: Callable[[], float],
        require_connect: Callable[[str, User], None],
    ) -> None:
        self._server = server
        self._rooms = rooms
        self._replies = replies
        self._order = order
        self._begin = begin
        self._wall_clock = wall_clock
        self._require_connect = require_connect

    def member(self, sid: str, namespace: str) -> Member:
        """See `Server.member`."""
        member: Member | None = self._rooms.member(sid, namespace)
        if member is None:
            raise KeyError(sid)
        return member

    def renew(self, member: Member, user: User) -> None:
        """See `Server.renew`."""
        if (user.kind, user.id) != (member.user.kind, member.user.id):
            raise Forbidden("The token belongs to another user.")
        if user.expires_at < member.user.expires_at:
            raise Forbidden("The token expires sooner than the present one.")
        self._require_connect(member.namespace, user)
        member.user = user

    async def send_away(self, member: Member, error: ClientError) -> None:
        """See `Server.send_away`."""
        if member.phase is Phase.CONNECTED:
            self._order.hurry(member)
            self._replies.answer_error(member, None, error)
            await self._server.disconnect(member.sid, namespace=member.namespace, ignore_queue=True)

    def send_away_all(self, whom: Callable[[User], bool], error: ClientError) -> None:
        """See `Server.send_away_all`."""
        for connection in [*self._server.eio.sockets.values()]:
            for member in members_of(connection):
                if member.phase is Phase.CONNECTED and whom(member.user):
                    self._begin(self.send_away(member, error))

    def watch_expiry(self, member: Member) -> None:
        """Disconnect a client when its token expires, unless it has another by then."""
        if member.user.expires_at:
            left_s = member.user.expires_at - self._wall_clock()
            # The alarm holds only the id, so that no other data of a client that has gone are kept until its token expires.
            alarm = partial(self._end_if_expired, member.sid, member.namespace, member.opened_at)
            self._server.eio.alarm_in(min(max(left_s, 0.0), _LONGEST_WATCH_S), alarm)

    def _end_if_expired(self, sid: str, namespace: str, opened_at: float, now: float) -> float | None:
        member: Member | None = self._rooms.member(sid, namespace)
        if member is None or member.phase is not Phase.CONNECTED or member.opened_at != opened_at:
            # The client has gone, or was recovered under its id and has an alarm of its own.
            return None
        left_s = member.user.expires_at - self._wall_clock()
        if left_s > 0:
            return now + min(left_s, _LONGEST_WATCH_S)
        _log.info("token expired", sid=sid, namespace=namespace, user=member.user.id)
        self._begin(self.send_away(member, TokenExpired()))
        return None

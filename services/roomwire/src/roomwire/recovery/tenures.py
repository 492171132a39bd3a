"""Sessions that this node holds: their data kept, their receipts told, let go when their clients are gone."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from roomwire.engine.connection import Connection
from roomwire.errors import ClientError
from roomwire.log.contract import Log
from roomwire.log.positions import Offset
from roomwire.log.sessions import Tenure
from roomwire.logs import get_logger
from roomwire.rooms.member import Member, members_of

MAX_DATA_BYTES: Final = 65_536

_log = get_logger(__name__)
_encode: Final = msgspec.msgpack.Encoder().encode


class Tenures:
    """Does what a node owes the sessions that it holds; its `pinged` is the engine's `Pulse`.

    Args:
        log: Keeps the sessions.

    """

    def __init__(self, log: Log) -> None:
        self._log = log

    async def store(self, member: Member, data: object) -> None:
        """Keep the application's data of a session with it, wherever its client comes back to, and for who asks for it."""
        if member.tenure is None:
            return
        try:
            stored = _encode(data)
        except (TypeError, ValueError, OverflowError) as error:
            _log.warning("session data stay on this node", sid=member.sid, error=str(error))
            return
        if len(stored) > MAX_DATA_BYTES:
            _log.warning("session data stay on this node", sid=member.sid, bytes=len(stored))
            return
        await self._log.save(member.tenure, stored)

    async def finish(self, member: Member) -> None:
        """Let go of the session of a member that is gone: it waits for the client, or ends."""
        tenure = member.tenure
        if tenure is None:
            return
        self._log.release(tenure)
        if member.is_lost and member.pid is not None:
            return
        try:
            await self._log.end(tenure.sid, tenure.claim)
        except ClientError as error:
            # It ends by itself, after its time to live.
            _log.info("session not ended", sid=member.sid, error=error.message)

    # -- receipts

    def pinged(self, connection: Connection) -> Callable[[], None]:
        """See `Pulse`: keep what has been written until now, for those to whom all of it has been."""
        members = members_of(connection)
        tenures = [one.tenure for one in members if one.is_released and one.tenure is not None]
        return partial(self._received, tenures, self._log.offset())

    def _received(self, tenures: Sequence[Tenure], offset: Offset) -> None:
        """Note that a client has what was written before the ping that it answered."""
        for tenure in tenures:
            self._log.receipt(tenure, offset)

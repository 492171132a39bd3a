"""The sessions that this node holds: stores their data, reports their receipts, and releases them when their clients are gone."""

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
    """Maintains the sessions that a node holds. Its `pinged` is the engine's `Pulse`.

    Args:
        log: Stores the sessions.

    """

    def __init__(self, log: Log) -> None:
        self._log = log

    async def store(self, member: Member, data: object) -> None:
        """Store the application's data in the session, for any node to which its client returns and for the callers of presence."""
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
        """Release the session of a member that is gone: it waits for the client, or ends."""
        tenure = member.tenure
        if tenure is None:
            return
        self._log.release(tenure)
        if member.is_lost and member.pid is not None:
            return
        try:
            await self._log.end(tenure.sid, tenure.claim)
        except ClientError as error:
            # The session ends by itself, after its time to live.
            _log.info("session not ended", sid=member.sid, error=error.message)

    # -- receipts

    def pinged(self, connection: Connection) -> Callable[[], None]:
        """See `Pulse`: note the present offset for members to whom everything has been written."""
        members = members_of(connection)
        tenures = [one.tenure for one in members if one.is_released and one.tenure is not None]
        return partial(self._received, tenures, self._log.offset())

    def _received(self, tenures: Sequence[Tenure], offset: Offset) -> None:
        """Note that a client has everything that was written before the ping that it answered."""
        for tenure in tenures:
            self._log.receipt(tenure, offset)

"""`Sessions` that make a span of each recovery, linked to the publishes of what is replayed."""

from collections.abc import Sequence

from roomwire.log.contract import Log
from roomwire.log.entries import Entry
from roomwire.log.sessions import Pid
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.wire_format import WireFormat
from roomwire.recovery.decisions import RecoveryLimits, Refusal
from roomwire.recovery.sessions import Sessions
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member
from roomwire.tracing import Tracing


class TracedSessions(Sessions):
    """See `Sessions`, whose other arguments it takes.

    Args:
        tracing: Makes the spans.

    """

    def __init__(
        self,
        log: Log,
        rooms: Rooms,
        *,
        tracing: Tracing,
        limits: RecoveryLimits,
        metrics: Metrics,
        wire: WireFormat,
    ) -> None:
        super().__init__(log, rooms, limits=limits, metrics=metrics, wire=wire)
        self._tracing = tracing

    async def _recover(
        self, member: Member, pid: Pid, offset: str | None, subject: str
    ) -> Sequence[Entry] | Refusal:
        with self._tracing.recovery(member.namespace):
            entries = await super()._recover(member, pid, offset, subject)
            if isinstance(entries, Refusal):
                self._tracing.not_recovered(entries.value)
            else:
                self._tracing.replays([entry.message.trace for entry in entries])
            return entries

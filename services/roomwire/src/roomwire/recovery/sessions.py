"""Opens or recovers the log's sessions (`roomwire.log.sessions`) that begin on this node.

This module owns the log's calls for one connecting client. `roomwire.recovery.decisions` has the decisions, `roomwire.rooms` the
members of rooms, and `roomwire.recovery.tenures` the sessions that this node holds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from roomwire.cluster.results import About
from roomwire.errors import Unavailable
from roomwire.limits.bounds import Bound
from roomwire.limits.classes import class_of
from roomwire.log.contract import Log
from roomwire.log.entries import Entry
from roomwire.log.intervals import is_member
from roomwire.log.positions import Epoch, Position
from roomwire.log.replay import base_of, ranges_of
from roomwire.log.sessions import Claimed, ClaimRefused, NewSession, Pid, Sid, Tenure, new_pid, sid_of
from roomwire.log.streams import namespace_stream
from roomwire.logs import get_logger
from roomwire.metrics.gateway import Metrics
from roomwire.protocol.wire_format import WireFormat
from roomwire.recovery.decisions import (
    RecoveryLimits,
    RecoveryRequest,
    Refusal,
    missed_entries,
    replay_frames,
)
from roomwire.rooms.manager import Rooms
from roomwire.rooms.member import Member

_REFUSED: Final = {ClaimRefused.GONE: Refusal.GONE, ClaimRefused.DUEL: Refusal.DUEL}
_BOUNDS: Final = {Refusal.DUEL: Bound.CLAIMS, Refusal.TOO_MUCH: Bound.REPLAY}

_log = get_logger(__name__)
_decode: Final = msgspec.msgpack.Decoder().decode


class Sessions:
    """Opens or recovers the sessions of members.

    Args:
        log: Stores the sessions.
        rooms: The rooms and their members.
        limits: The limits of recoveries.
        metrics: Counts recoveries.

    """

    def __init__(
        self, log: Log, rooms: Rooms, *, limits: RecoveryLimits, metrics: Metrics, wire: WireFormat
    ) -> None:
        self._log = log
        self._rooms = rooms
        self._limits = limits
        self._frames = wire.frames
        self.leave_loop()
        self._count = metrics.recoveries
        self._exceeded = metrics.exceeded

    def leave_loop(self) -> None:
        """Discard the pending state of an event loop that has ended."""
        self._turns = asyncio.Semaphore(self._limits.max_concurrent)

    async def begin(self, member: Member, request: RecoveryRequest, subject: str) -> Sequence[bytes]:
        """Give a member its session: the requested one if everything that it missed can be replayed, else a new one.

        From now on the member is registered by its id, and events for it wait for `Member.release`.

        Args:
            member: The authenticated member.
            request: The member's request.
            subject: The subject of its token. Empty if there is none.

        Returns:
            The frames of the missed events, which follow the reply to its CONNECT.

        Raises:
            Unavailable: Close the transport, so that the client connects again.

        """
        if request.pid is not None:
            entries = await self._recover(member, request.pid, request.offset, subject)
            if not isinstance(entries, Refusal):
                self._count.labels("recovered").inc()
                member.recovered = True
                return list(replay_frames(entries, member.namespace, self._log.epoch, self._frames))
            self._count.labels("refused").inc()
            if entries in _BOUNDS:
                self._exceeded(_BOUNDS[entries])
            _log.info("recovery refused", namespace=member.namespace, reason=entries.value)
        await self._open(member, subject, is_offered=request.is_offered)
        return ()

    # -- a new session

    async def _open(self, member: Member, subject: str, *, is_offered: bool) -> None:
        pid = new_pid()
        member.sid = sid_of(pid)
        member.pid = pid if is_offered else None
        tenure = Tenure(Sid(member.sid), 1)
        self._log.subscribe(namespace_stream(member.namespace))

        def enter(_: object) -> None:
            member.tenure = tenure
            self._rooms.admit(member)

        try:
            about = About.of(member.user)
            session = NewSession(
                Sid(member.sid),
                member.namespace,
                subject,
                about=about,
                client_class=class_of(member.user.kind),
                is_recoverable=is_offered,
            )
            await self._log.open(session, enter)
        finally:
            if member.tenure is None:
                self._log.unsubscribe(namespace_stream(member.namespace))

    # -- an earlier session

    async def _recover(
        self, member: Member, pid: Pid, offset: str | None, subject: str
    ) -> Sequence[Entry] | Refusal:
        if self._turns.locked():
            self._exceeded(Bound.RECOVERIES)
        try:
            async with asyncio.timeout(self._log.config.claim_deadline_s), self._turns:
                return await self._claim(member, pid, sid_of(pid), offset, subject)
        except TimeoutError:
            # After that, the data may have expired unnoticed.
            self._exceeded(Bound.RECOVERY_DEADLINE)
            self._count.labels("postponed").inc()
            raise Unavailable("The recovery takes too long: try again.") from None
        except Unavailable:
            self._count.labels("postponed").inc()
            raise

    async def _claim(
        self, member: Member, pid: Pid, sid: Sid, offset: str | None, subject: str
    ) -> Sequence[Entry] | Refusal:
        # A socket of this node learns of the claim immediately; its handlers run before those of the new socket.
        claimed = await self._log.claim(sid, namespace=member.namespace, subject=subject)
        if claimed is ClaimRefused.NOT_YET:
            raise Unavailable("The session is being confirmed: try again.")
        if not isinstance(claimed, Claimed):
            return _REFUSED[claimed]
        async with self._held_or_released(claimed.tenure, member):
            epoch = self._log.epoch
            await self._rooms.gone(sid)
            base = base_of(offset, claimed, epoch)
            if base is None:
                entries: Sequence[Entry] | Refusal = Refusal.OFFSET
            else:
                entries = await self._replay(member, claimed, base, epoch, pid)
            if isinstance(entries, Refusal):
                self._rooms.forget(member)
                # The entries that have arrived for the session in the meantime.
                member.outlet.outbox.clear()
                member.tenure = None
                self._log.release(claimed.tenure)
                await self._log.end(sid, claimed.tenure.claim)
                return entries
        self._restore_data(member, claimed.data)
        return entries

    async def _replay(
        self, member: Member, claimed: Claimed, base: Position, epoch: Epoch, pid: Pid
    ) -> Sequence[Entry] | Refusal:
        sid = claimed.tenure.sid
        rooms = [stream for stream, intervals in claimed.rooms.items() if is_member(intervals)]
        streams = [namespace_stream(member.namespace), *rooms]
        for stream in streams:
            self._log.subscribe(stream)

        def enter(_: object) -> None:
            if not self._log.holds(claimed.tenure):
                # A newer claim, or a loss of the log, came before there was a socket to fence.
                return
            member.sid, member.tenure, member.pid = sid, claimed.tenure, pid
            self._rooms.admit(member)
            for stream in rooms:
                self._rooms.restore(member, stream)

        try:
            mark = await self._log.mark(enter)
        finally:
            if member.tenure is None:
                for stream in streams:
                    self._log.unsubscribe(stream)
        if member.tenure is None:
            raise Unavailable("The session continues elsewhere: try again.")
        if self._log.epoch != epoch:
            raise Unavailable
        if base > mark:
            return Refusal.OFFSET
        limits = self._limits
        ranges = ranges_of(claimed, member.namespace, base, mark)
        readings = await self._log.read(ranges, max_entries=limits.max_entries, max_bytes=limits.max_bytes)
        return missed_entries(readings, claimed, limits)

    @contextlib.asynccontextmanager
    async def _held_or_released(self, tenure: Tenure, member: Member) -> AsyncIterator[None]:
        """Let a session wait for its client if an operation on it fails here."""
        try:
            yield
        except BaseException:
            self._rooms.forget(member)
            self._log.release(tenure)
            member.tenure = None
            raise

    @staticmethod
    def _restore_data(member: Member, data: bytes) -> None:
        if data:
            member.connection.session[member.namespace] = _decode(data)

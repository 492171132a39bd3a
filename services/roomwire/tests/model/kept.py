"""What Redis keeps of streams and sessions, and the changes of it: production's log of one process, with bugs.

Production's class says what a publish, a join, a claim do. Here it gets what a process alone does not need: a copy for a
replica, pages, and counts for the record. Each further class leaves out one rule.
"""

from collections import deque
from typing import Any, Self

import msgspec

from model.said import NAMESPACE
from roomwire.errors import NotFound
from roomwire.log.config import LogConfig
from roomwire.log.contract import Fenced
from roomwire.log.intervals import is_member
from roomwire.log.memory.primary import MemoryPrimary
from roomwire.log.positions import Epoch, Position
from roomwire.log.reading import Page
from roomwire.log.sessions import Claimed, ClaimRefused, NewSession, NodeId, Sid, Tenure
from roomwire.log.streams import Stream


class Kept(MemoryPrimary):
    """Streams, sessions and message ids. `now` is Redis' clock; `expired` counts sessions that did."""

    def __init__(self, config: LogConfig, page_entries: int, log_bytes: int) -> None:
        self.now = 0
        self.expired = 0
        self.caller = NodeId("")  # whose heartbeat it is; only a bug asks
        self._page_entries = page_entries
        super().__init__(config, lambda: self.now, epoch=Epoch(""), max_bytes=log_bytes)

    def copy(self) -> Self:
        """Return one that shares nothing with this, and has no gateways."""
        other = type(self)(self._config, self._page_entries, self._max_bytes)
        other.now, other.expired, other.last = self.now, self.expired, self.last
        other._size = self._size
        for stream, kept in self._streams.items():
            other._streams[stream] = msgspec.structs.replace(kept, entries=deque(kept.entries))
        for sid, session in self._sessions.items():
            other._sessions[sid] = msgspec.structs.replace(session, rooms=dict(session.rooms))
        other._members = {stream: dict(members) for stream, members in self._members.items()}
        other._message_ids = dict(self._message_ids)
        return other

    def page(self, stream: Stream, cursor: Position, upto: Position) -> Page:
        """Return a page of the usual size."""
        page, most = super().page(stream, cursor, upto), self._page_entries + 1
        return page._replace(entries=page.entries[:most], has_more=len(page.entries) >= most)

    def take_position(self) -> Position:
        """Take the next position."""
        return self._take_position()

    def session(self, sid: Sid) -> Any:
        """Return a session, or None if there is none."""
        return self._session(sid)

    def owned(self, tenure: Tenure) -> Any:
        """Look whether a socket that has nothing to report still speaks for its session; raises `Fenced`."""
        return self._owned(tenure)

    def session_of(self, tenure: Tenure) -> Any:
        """Return the session for which a socket speaks; raises `Fenced`."""
        return self._owned(tenure)

    def begins_at(self, stream: Stream) -> Position | None:
        """Return the position of the first entry that a stream still holds."""
        kept = self._stream(stream, self.now)
        return kept.entries[0][0] if kept and kept.entries else None

    def before(self, stream: Stream, position: Position) -> Position:
        """Return the position of the entry before one in a stream; only a bug asks."""
        kept = self._stream(stream, self.now)
        positions = [one for one, _ in kept.entries if one < position] if kept else []
        return positions[-1] if positions else Position(0)

    def forget_sessions_of(self, node: NodeId) -> None:
        """Lose what a gateway would have stored had it been closed in peace; only a bug does."""
        for sid, session in list(self._sessions.items()):
            if session.node == node:
                self._forget(sid, session)

    def _session(self, sid: Sid) -> Any:
        was_there = sid in self._sessions
        session = super()._session(sid)
        self.expired += was_there and session is None
        return session


class ClaimDeletes(Kept):
    """A session is gone once it was claimed."""

    def claim(self, sid: Sid, node: NodeId, **whose: str) -> Claimed | ClaimRefused:
        claimed = super().claim(sid, node, **whose)
        if isinstance(claimed, Claimed):
            self._forget(sid, self._sessions[sid])
        return claimed


class ClaimProlongs(Kept):
    """A claim, and a heartbeat for a silent client, prolong a session's life."""

    def claim(self, sid: Sid, node: NodeId, **whose: str) -> Claimed | ClaimRefused:
        claimed = super().claim(sid, node, **whose)
        if isinstance(claimed, Claimed):
            self.beat(claimed.tenure, Position(0))
        return claimed

    def owned(self, tenure: Tenure) -> Any:
        self.beat(tenure, Position(0))
        return self._owned(tenure)


class AnyClaimWrites(Kept):
    """Claim numbers are not compared."""

    def _owned(self, tenure: Tenure) -> Any:
        session = self._session(tenure.sid)
        if session is None:
            raise Fenced
        return session


class BeatRevives(Kept):
    """A heartbeat begins a session anew that has expired."""

    def beat(self, tenure: Tenure, known: Position) -> None:
        self._revive(tenure, known)
        super().beat(tenure, known)

    def owned(self, tenure: Tenure) -> Any:
        self._revive(tenure, self.last)
        return super().owned(tenure)

    def _revive(self, tenure: Tenure, known: Position) -> None:
        if self._session(tenure.sid) is None:
            self.open(NewSession(tenure.sid, NAMESPACE), self.caller)
            session = self._sessions[tenure.sid]
            session.claim, session.known, session.start = tenure.claim, known, known


class JoinBeginsAnew(Kept):
    """A repeated join begins another interval in place of the open one."""

    def join(self, tenure: Tenure, stream: Stream) -> Position:
        session = self._owned(tenure)
        intervals = session.rooms.get(stream, ())
        if is_member(intervals):
            session.rooms[stream] = intervals[:-1]
        return super().join(tenure, stream)


class RoomForgottenWhenLeft(Kept):
    """A session knows only the rooms in which it is."""

    def leave(self, tenure: Tenure, stream: Stream) -> Position:
        position = super().leave(tenure, stream)
        self._owned(tenure).rooms.pop(stream, None)
        return position


class KeptForNobody(Kept):
    """What is said to a socket without a session is appended."""

    def _owner(self, stream: Stream) -> Any:
        try:
            return super()._owner(stream)
        except NotFound:
            return ()


class EmptiedIsForgotten(Kept):
    """Streams that make room for others are gone."""

    def _shrink(self, written: Any) -> None:
        super()._shrink(written)
        for stream in [one for one, kept in self._streams.items() if not kept.entries]:
            self._drop(stream)


class SilentSessionWrites(Kept):
    """What is written to a session takes no position."""

    _is_publishing = False

    def publish(self, *said: Any) -> Any:
        self._is_publishing = True
        try:
            return super().publish(*said)
        finally:
            self._is_publishing = False

    def _take_position(self) -> Position:
        return super()._take_position() if self._is_publishing else self.last


BROKEN: dict[str, type[Kept]] = {
    "claim_deletes": ClaimDeletes,
    "claim_prolongs": ClaimProlongs,
    "claims_not_fenced": AnyClaimWrites,
    "heartbeat_revives": BeatRevives,
    "join_begins_anew": JoinBeginsAnew,
    "room_forgotten_when_left": RoomForgottenWhenLeft,
    "kept_for_nobody": KeptForNobody,
    "emptied_is_forgotten": EmptiedIsForgotten,
    "silent_session_writes": SilentSessionWrites,
}

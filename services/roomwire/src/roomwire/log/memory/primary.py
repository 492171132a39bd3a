"""The log of one process, with the functions of Redis and the scripts. It knows no event loop; the time is passed in.

Several `MemoryLog`s may share one primary, as gateways do; the tests use this. Nothing outlives the process, so there is one epoch.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

import msgspec

from roomwire.errors import Internal
from roomwire.log.config import LogConfig
from roomwire.log.contract import Fenced, Published
from roomwire.log.entries import Entry, Message, encode_message
from roomwire.log.errors import RejoinedTooOften, SessionGone
from roomwire.log.guard import MAX_STREAM_BYTES
from roomwire.log.intervals import Interval, is_member, without
from roomwire.log.kept import Kept
from roomwire.log.memory.kept import KeptEntries
from roomwire.log.positions import Epoch, Position
from roomwire.log.reading import ABSENT, Page
from roomwire.log.sessions import (
    Attendance,
    Attendee,
    Claimed,
    ClaimRefused,
    NewSession,
    NodeId,
    SessionOwner,
    Sid,
    Tenure,
)
from roomwire.log.streams import Stream, is_sid_stream, parse_stream, sid_stream

MAX_LOG_BYTES: Final = 67_108_864
"""Maximum size of the messages of all streams, unless a primary is created with another."""
_LEFT: Final = 0.75
"""The part of that size to which streams are reduced once it is exceeded."""


class Node(Protocol):
    """A gateway, as the primary sees it."""

    def is_subscribed(self, stream: Stream) -> bool:
        """Return whether the gateway wants a stream."""

    def deliver(self, entry: Entry) -> None:
        """Deliver an entry of a stream that the gateway wants, or of one of its sockets: hot."""

    def deliver_volatile(self, stream: Stream, message: Message) -> None:
        """Deliver a message that is not in the log, if the gateway wants its stream."""

    def fence(self, sid: Sid, newer_claim: int) -> None:
        """Drop a socket with an older claim."""


class _Stream(msgspec.Struct):
    """A stream: its entries, their maximum number, and the position of the last one that it has had."""

    entries: deque[tuple[Position, Message]]
    max_entries: int
    last: Position = Position(0)
    size: int = 0
    expires_at: float = 0.0
    is_trimmed: bool = False

    def is_whole(self, cursor: Position) -> bool:
        """Return whether nothing after a position has been trimmed."""
        has_earlier = bool(self.entries) and self.entries[0][0] <= cursor
        return not self.is_trimmed or has_earlier or self.last <= cursor


class _Session(msgspec.Struct):
    namespace: str
    subject: str
    data: bytes
    about: bytes
    node: NodeId
    start: Position
    expires_at: float
    claim: int = 1
    is_recoverable: bool = True
    claims: tuple[float, ...] = ()
    known: Position = Position(0)
    rooms: dict[Stream, tuple[Interval, ...]] = msgspec.field(default_factory=dict)


class MemoryPrimary:
    """Stores streams, sessions and message ids.

    Args:
        config: The times and limits.
        clock: The time in seconds, which never decreases.
        epoch: The epoch in which it begins.
        max_bytes: Maximum size of the messages of all streams. Beyond it, those that were written longest ago keep none.

    Attributes:
        kept: The histories of rooms.

    """

    def __init__(
        self,
        config: LogConfig,
        clock: Callable[[], float],
        *,
        epoch: Epoch,
        max_bytes: int = MAX_LOG_BYTES,
    ) -> None:
        self.epoch = epoch
        self.last = Position(0)
        self.nodes: dict[NodeId, Node] = {}
        self.kept = KeptEntries(clock, room_bytes=config.guard.room_history_bytes)
        self._config = config
        self._stream_ttl_s = config.stream_ttl_s
        self._max_bytes = max_bytes
        self._size = 0
        self._clock = clock
        self._streams: dict[Stream, _Stream] = {}
        self._sessions: dict[Sid, _Session] = {}
        self._members: dict[Stream, dict[Sid, None]] = {}
        self._message_ids: dict[str, tuple[float, Position]] = {}
        self._swept_at = clock()

    # -- messages

    def publish(
        self, stream: Stream, message: Message, message_id: str, kept: Kept | None = None
    ) -> Published:
        """Append and push a message: hot; see `Log.publish`."""
        now = self._clock()
        if now - self._swept_at >= self._config.heartbeat_s:
            self._sweep(now)
        # A refused message takes a position as well, as in the script; gaps mean nothing.
        position = self._take_position()
        if message_id:
            expires_at, first = self._message_ids.get(message_id, (now, position))
            if expires_at > now:
                return Published(first, is_repeat=True)
        nodes = self._owner(stream) if is_sid_stream(stream) else tuple(self.nodes.values())
        self._append(stream, position, message, now)
        if kept is not None:
            self.kept.append(kept)
        if message_id:
            self._message_ids[message_id] = (now + self._config.message_id_ttl_s, position)
        entry = Entry(stream, position, message)
        for node in nodes:
            if node.is_subscribed(stream):
                node.deliver(entry)
        return Published(position)

    def push(self, stream: Stream, message: Message) -> None:
        """Push a message without appending it; see `Log.publish_volatile`."""
        try:
            nodes = self._owner(stream) if is_sid_stream(stream) else tuple(self.nodes.values())
        except SessionGone:
            return
        for node in nodes:
            node.deliver_volatile(stream, message)

    def page(self, stream: Stream, cursor: Position, upto: Position) -> Page:
        """Return a stream's entries from a cursor on, inclusive."""
        kept = self._stream(stream, self._clock())
        if kept is None:
            return ABSENT
        is_whole = kept.is_whole(cursor)
        entries = [
            (position, encode_message(message))
            for position, message in kept.entries
            if cursor <= position <= upto
        ]
        return Page(is_there=True, is_whole=is_whole, entries=entries, has_more=False, last=kept.last)

    def newest(self, stream: Stream, limit: int) -> list[Entry]:
        """Return the newest entries, oldest first."""
        kept = self._stream(stream, self._clock())
        newest = [] if kept is None or limit < 1 else list(kept.entries)[-limit:]
        return [Entry(stream, position, message) for position, message in newest]

    # -- sessions

    def open(self, new: NewSession, node: NodeId) -> Position:
        """Begin a session."""
        if self._session(new.sid) is not None:
            raise Internal
        start = self._take_position()
        expires_at = self._clock() + self._config.session_ttl_s
        self._sessions[new.sid] = _Session(
            new.namespace,
            new.subject,
            new.data,
            new.about,
            node,
            start,
            expires_at,
            is_recoverable=new.is_recoverable,
        )
        return start

    def join(self, tenure: Tenure, stream: Stream) -> Position:
        """Begin a membership, or return where it began."""
        session = self._owned(tenure)
        intervals = session.rooms.get(stream, ())
        if is_member(intervals):
            return intervals[-1].joined
        intervals = without(intervals, session.known)
        if len(intervals) >= self._config.max_intervals:
            raise RejoinedTooOften
        position = self._take_position()
        session.rooms[stream] = (*intervals, Interval(position, None))
        self._members.setdefault(stream, {})[tenure.sid] = None
        return position

    def leave(self, tenure: Tenure, stream: Stream) -> Position:
        """End a membership."""
        session = self._owned(tenure)
        position = self._take_position()
        self._unindex(stream, tenure.sid)
        intervals = session.rooms.pop(stream, ())
        if is_member(intervals):
            intervals = (*intervals[:-1], Interval(intervals[-1].joined, position))
        if kept := without(intervals, session.known):
            session.rooms[stream] = kept
        return position

    def claim(self, sid: Sid, node: NodeId, *, namespace: str, subject: str) -> Claimed | ClaimRefused:
        """Take over a session, and fence its holder elsewhere."""
        session = self._session(sid)
        if session is None or (session.namespace, session.subject) != (namespace, subject):
            return ClaimRefused.GONE
        now = self._clock()
        lately = tuple(one for one in session.claims if one > now - self._config.claims_window_s)
        if len(lately) >= self._config.max_claims:
            return ClaimRefused.DUEL
        session.claims = (*lately, now)
        position = self._take_position()
        session.claim += 1
        owner, session.node = session.node, node
        if owner != node and owner in self.nodes:
            self.nodes[owner].fence(sid, session.claim)
        return Claimed(
            tenure=Tenure(sid, session.claim),
            position=position,
            start=session.start,
            born=self.epoch,
            known=session.known,
            data=session.data,
            rooms=dict(session.rooms),
            ends={},
        )

    def beat(self, tenure: Tenure, known: Position) -> None:
        """Accept a receipt; raise `Fenced`."""
        session = self._owned(tenure)
        session.known = max(session.known, known)
        session.expires_at = self._clock() + self._config.session_ttl_s

    def save(self, tenure: Tenure, data: bytes) -> None:
        """Store session data; raise `Fenced`."""
        self._owned(tenure).data = data

    def end(self, sid: Sid, claim: int | None, node: NodeId) -> bool:
        """Delete a session, and fence its holder elsewhere."""
        session = self._session(sid)
        if session is None or claim not in {None, session.claim}:
            return False
        self._forget(sid, session)
        self._drop(sid_stream(sid))
        if session.node != node and session.node in self.nodes:
            self.nodes[session.node].fence(sid, session.claim + 1)
        return True

    def find(self, sid: Sid) -> SessionOwner | None:
        """Return the location of a session."""
        session = self._session(sid)
        if session is None:
            return None
        return SessionOwner(session.node, session.namespace, session.subject, session.known)

    def present(self, stream: Stream, limit: int, max_bytes: int) -> Attendance:
        """Return the sessions in a room."""
        found, size = [], 0
        members = [
            (sid, session)
            for sid in [*self._members.get(stream, ())]
            if (session := self._session(sid)) is not None
        ]
        for sid, session in members[:limit]:
            about, data = (session.about, session.data) if max_bytes else (b"", b"")
            size += len(about) + len(data)
            if size > max_bytes:
                break
            found.append(Attendee(sid, session.node, session.subject, about, data))
        return Attendance(len(members), found)

    # -- internals

    def _take_position(self) -> Position:
        self.last = Position(self.last + 1)
        return self.last

    def _append(self, stream: Stream, position: Position, message: Message, now: float) -> None:
        """Store an entry of a stream; of what is sent to a client that cannot be recovered, only its position: hot."""
        held = self._stream(stream, now)
        if held is None:
            held = self._streams[stream] = _Stream(deque(), self._max_entries(stream))
        held.last = position
        held.expires_at = now + self._stream_ttl_s
        if is_sid_stream(stream) and not self._is_recoverable(stream):
            held.is_trimmed = True
            return
        size = len(message.payload)
        held.entries.append((position, message))
        held.size += size
        self._size += size
        if len(held.entries) > held.max_entries or held.size > MAX_STREAM_BYTES:
            self._trim(held)
        if self._size > self._max_bytes:
            self._shrink(held)

    def _max_entries(self, stream: Stream) -> int:
        config = self._config
        return config.max_sid_entries if is_sid_stream(stream) else config.max_stream_entries

    def _trim(self, held: _Stream) -> None:
        """Drop the oldest entries beyond the limits of a stream; the newest one stays in any case."""
        while len(held.entries) > held.max_entries or (
            held.size > MAX_STREAM_BYTES and len(held.entries) > 1
        ):
            self._forget_oldest(held)

    def _shrink(self, written: _Stream) -> None:
        """Drop the entries of the streams that were written longest ago, until the rest is small enough."""
        for held in sorted(self._streams.values(), key=lambda one: one.last):
            while held.entries and held is not written:
                self._forget_oldest(held)
            if self._size <= self._max_bytes * _LEFT:
                return

    def _forget_oldest(self, held: _Stream) -> None:
        size = len(held.entries.popleft()[1].payload)
        held.size -= size
        self._size -= size
        held.is_trimmed = True

    def _drop(self, stream: Stream) -> None:
        held = self._streams.pop(stream, None)
        if held is not None:
            self._size -= held.size

    def _is_recoverable(self, stream: Stream) -> bool:
        session = self._sessions.get(Sid(parse_stream(stream).sid or ""))
        return session is None or session.is_recoverable

    def _owner(self, stream: Stream) -> tuple[Node, ...]:
        session = self._session(Sid(parse_stream(stream).sid or ""))
        if session is None:
            raise SessionGone
        return (self.nodes[session.node],) if session.node in self.nodes else ()

    def _stream(self, stream: Stream, now: float) -> _Stream | None:
        kept = self._streams.get(stream)
        if kept is not None and kept.expires_at <= now:
            self._drop(stream)
            return None
        return kept

    def _session(self, sid: Sid) -> _Session | None:
        session = self._sessions.get(sid)
        if session is not None and session.expires_at <= self._clock():
            self._forget(sid, session)
            return None
        return session

    def _forget(self, sid: Sid, session: _Session) -> None:
        del self._sessions[sid]
        for stream in session.rooms:
            self._unindex(stream, sid)

    def _unindex(self, stream: Stream, sid: Sid) -> None:
        members = self._members.get(stream, {})
        members.pop(sid, None)
        if not members:
            self._members.pop(stream, None)

    def _owned(self, tenure: Tenure) -> _Session:
        session = self._session(tenure.sid)
        if session is None or session.claim != tenure.claim:
            raise Fenced
        return session

    def _sweep(self, now: float) -> None:
        """Remove expired data from time to time, so that each publish costs the same."""
        self._swept_at = now
        self.kept.sweep()
        for stream in list(self._streams):
            self._stream(stream, now)
        for sid in list(self._sessions):
            self._session(sid)
        expired = [one for one, (expires_at, _) in self._message_ids.items() if expires_at <= now]
        for message_id in expired:
            del self._message_ids[message_id]
